//! The query language: Lucene's, as far as people use it in Kibana.

use tantivy::query::{Occur, Query, QueryParser};
use tantivy::query_grammar::{UserInputAst, UserInputLeaf, parse_query};

use super::shape::{DOCUMENT, TIMESTAMP};
use super::{IndexError, LocalIndex};

/// Fields that a query can name as they are; all others are paths in the document.
const OWN_FIELDS: [&str; 4] = ["_id", "_all", "message", TIMESTAMP];

impl LocalIndex {
    /// Reads a query that is not empty.
    pub(super) fn parse_query(&self, text: &str) -> Result<Box<dyn Query>, IndexError> {
        let syntax = |_| IndexError::Syntax(text.to_string());
        let mut tree = parse_query(text).map_err(syntax)?;
        rewrite(&mut tree);
        let mut parser = QueryParser::for_index(&self.index, vec![self.fields.message, self.fields.everything]);
        parser.set_conjunction_by_default();
        Ok(parser.build_query_from_user_input_ast(tree)?)
    }
}

/// Puts field names below the document, and gives a clause that only excludes something to exclude from.
fn rewrite(tree: &mut UserInputAst) {
    match tree {
        UserInputAst::Clause(children) => {
            children.iter_mut().for_each(|(_, child)| rewrite(child));
            if !children.is_empty() && children.iter().all(|(occur, _)| *occur == Some(Occur::MustNot)) {
                children.push((Some(Occur::Must), UserInputAst::Leaf(Box::new(UserInputLeaf::All))));
            }
        }
        UserInputAst::Boost(inner, _) => rewrite(inner),
        UserInputAst::Leaf(leaf) => match &mut **leaf {
            UserInputLeaf::Literal(literal) => literal.field_name.iter_mut().for_each(below_document),
            UserInputLeaf::Range { field, .. }
            | UserInputLeaf::Set { field, .. }
            | UserInputLeaf::Regex { field, .. } => {
                field.iter_mut().for_each(below_document);
            }
            UserInputLeaf::Exists { field } => below_document(field),
            UserInputLeaf::All => {}
        },
    }
}

fn below_document(field: &mut String) {
    if !OWN_FIELDS.contains(&field.as_str()) {
        field.insert_str(0, &format!("{DOCUMENT}."));
    }
}
