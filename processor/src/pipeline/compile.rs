//! All sections of a configuration, compiled.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tailrace_common::Clock;

use super::PipelineSettings;
use crate::input::{self, Input};
use crate::lang::ast::{Config, Kind, Plugin};
use crate::lang::diagnostic::Diagnostic;
use crate::options::{Expand, Options};
use crate::output::{self, Output};
use crate::plan::compile::{automatic_id, check_ids, compile_filters, compile_sections, unknown_plugin};
use crate::plan::run::FilterPlan;
use crate::plan::tree::{Node, walk};
use crate::plugin::{BuildContext, Shared};

/// A pipeline, ready to start.
pub struct Pipeline {
    pub(super) inputs: Vec<InputNode>,
    pub(super) filters: FilterPlan,
    pub(super) outputs: Vec<OutputNode>,
    /// The output sections; plugins stand for their place in `outputs`.
    pub(super) routes: Vec<Node<usize>>,
}

/// One input.
pub(super) struct InputNode {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) input: Box<dyn Input>,
}

/// One output.
pub(super) struct OutputNode {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) output: Box<dyn Output>,
    /// Events that it was given.
    pub(super) given: AtomicU64,
    /// Events that it has made safe.
    pub(super) delivered: Arc<AtomicU64>,
    /// Time that workers spent in it.
    pub(super) nanos: AtomicU64,
}

impl Pipeline {
    /// Compiles a configuration. Errors are among the diagnostics; the pipeline is fit to start only when there are none.
    pub fn compile(
        config: &Config,
        settings: &PipelineSettings,
        expand: &Expand<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Pipeline {
        let build = BuildContext {
            ecs: settings.ecs,
            clock: Clock::System,
            timezone: settings.timezone.clone(),
            expand,
            directory: PathBuf::from("."),
            shared: Shared::default(),
        };
        check_ids(config, diagnostics);
        let mut inputs = Vec::new();
        let nodes = compile_sections(config, Kind::Input, expand, diagnostics, &mut |plugin, diagnostics| {
            input_node(plugin, &build, diagnostics)
        });
        flatten(nodes, &mut inputs);
        let filters = compile_filters(config, &build, diagnostics);
        let mut outputs = Vec::new();
        let routes = compile_sections(config, Kind::Output, expand, diagnostics, &mut |plugin, diagnostics| {
            outputs.push(output_node(plugin, &build, diagnostics)?);
            Some(outputs.len() - 1)
        });
        Pipeline { inputs, filters, outputs, routes }
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// How many filters there are.
    pub fn filters(&self) -> usize {
        let mut count = 0;
        walk(self.filters.nodes(), &mut |_| count += 1);
        count
    }

    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }
}

/// Inputs run whatever branches stand around them, as in Logstash.
fn flatten<T>(nodes: Vec<Node<T>>, plugins: &mut Vec<T>) {
    for node in nodes {
        match node {
            Node::Plugin(plugin) => plugins.push(plugin),
            Node::Branch(branch) => {
                branch.arms.into_iter().for_each(|(_, body)| flatten(body, plugins));
                flatten(branch.otherwise, plugins);
            }
        }
    }
}

fn input_node(plugin: &Plugin, build: &BuildContext<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<InputNode> {
    let Some(definition) = input::find(&plugin.name) else {
        diagnostics.push(unknown_plugin(plugin, "input", input::INPUTS.iter().map(|known| known.name)));
        return None;
    };
    let options = Options::new(plugin, build.ecs, build.expand, diagnostics);
    let id = options.id().unwrap_or_else(|| automatic_id(plugin));
    (definition.build)(options, build).ok().map(|input| InputNode { id, name: definition.name, input })
}

fn output_node(plugin: &Plugin, build: &BuildContext<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<OutputNode> {
    let Some(definition) = output::find(&plugin.name) else {
        diagnostics.push(unknown_plugin(plugin, "output", output::OUTPUTS.iter().map(|known| known.name)));
        return None;
    };
    let options = Options::new(plugin, build.ecs, build.expand, diagnostics);
    let id = options.id().unwrap_or_else(|| automatic_id(plugin));
    (definition.build)(options, build).ok().map(|output| OutputNode {
        id,
        name: definition.name,
        output,
        given: AtomicU64::new(0),
        delivered: Arc::default(),
        nanos: AtomicU64::new(0),
    })
}
