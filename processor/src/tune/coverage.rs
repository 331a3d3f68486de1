//! Which branches and filters tests have reached.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::lang::ast::Span;
use crate::plan::run::{FilterNode, FilterPlan};
use crate::plan::tree::Node;

/// How often the conditions and filters of a configuration were reached, by file and place.
#[derive(Debug, Default)]
pub struct Coverage {
    reached: BTreeMap<(String, usize), Place>,
}

#[derive(Debug)]
struct Place {
    span: Span,
    what: String,
    count: u64,
}

impl Coverage {
    /// Adds what a plan has counted.
    pub fn add(&mut self, plan: &FilterPlan) {
        let mut open: Vec<&[Node<FilterNode>]> = vec![plan.nodes()];
        while let Some(nodes) = open.pop() {
            for node in nodes {
                match node {
                    Node::Plugin(filter) => {
                        self.count(&filter.span, filter.name.to_string(), filter.counters.snapshot().events_in);
                    }
                    Node::Branch(branch) => {
                        for (span, taken) in branch.spans.iter().zip(branch.taken()) {
                            self.count(span, format!("if {}", one_line(span.text())), taken);
                        }
                        open.extend(branch.bodies().map(Vec::as_slice));
                    }
                }
            }
        }
    }

    fn count(&mut self, span: &Span, what: String, count: u64) {
        let key = (span.source.name.clone(), span.start);
        let place = self.reached.entry(key).or_insert_with(|| Place { span: span.clone(), what, count: 0 });
        place.count += count;
    }

    /// Prints what no event reached, and how much was reached.
    ///
    /// # Errors
    /// Those of writing.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for place in self.reached.values().filter(|place| place.count == 0) {
            let position = place.span.position();
            writeln!(
                out,
                "{}:{}:{}: never reached: {}",
                place.span.source.name, position.line, position.column, place.what
            )?;
        }
        let reached = self.reached.values().filter(|place| place.count > 0).count();
        writeln!(out, "{reached} of {} branches and filters reached", self.reached.len())
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
