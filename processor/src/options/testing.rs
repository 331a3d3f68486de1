//! For tests of what is read of options.

use std::sync::Arc;

use super::{Ecs, Options};
use crate::lang::ast::Source;
use crate::lang::diagnostic::Diagnostic;
use crate::lang::{ParseOptions, parse};
use crate::plan::compile::each_plugin;

/// What is read of the options of an output; and what was found on the way.
pub(crate) fn read<T>(name: &str, written: &str, read: impl Fn(&mut Options<'_>) -> T) -> (Option<T>, Vec<Diagnostic>) {
    let text = format!("output {{ {name} {{ {written} }} }}");
    let source = Arc::new(Source { name: "test".into(), text });
    let (config, mut findings) = parse(&source, ParseOptions::default());
    let mut found = None;
    for section in &config.sections {
        each_plugin(&section.body, &mut |plugin| {
            let expand = |text: &str| Ok(text.to_string());
            found = Some(read(&mut Options::new(plugin, Ecs::V8, &expand, &mut findings)));
        });
    }
    (found, findings)
}
