//! A pipeline without its edges: what tests run suites against.

use std::path::PathBuf;

use tailrace_common::{Clock, Event, Str, Timestamp};
use tailrace_grok::Scratch;

use super::cases::rendered;
use super::suite::{Runner, Suite};
use crate::codec::{self, Codec};
use crate::input::InputDecoration;
use crate::lang::ast::{Config, Kind, Plugin, Source};
use crate::lang::{ParseOptions, has_errors, parse};
use crate::options::{Ecs, Options};
use crate::plan::compile::{automatic_id, check_ids, compile_filters, compile_sections, each_plugin};
use crate::plan::run::{FilterPlan, Worker};
use crate::plan::tree::Node;
use crate::plugin::{BuildContext, Shared};
use crate::settings::{files, variables};

/// How a pipeline is run for tests.
#[derive(Clone, Copy, Debug)]
pub struct RunnerSettings {
    /// What "now" is.
    pub clock: Clock,
    /// `pipeline.ecs_compatibility`.
    pub ecs: Ecs,
    /// `config.support_escapes`.
    pub support_escapes: bool,
}

/// A configuration that is known to compile.
pub struct Prepared {
    config: Config,
    settings: RunnerSettings,
}

/// A fresh pipeline for one suite.
pub struct SuiteRunner {
    plan: FilterPlan,
    routes: Vec<Node<String>>,
    codec: Box<dyn Codec>,
    decoration: InputDecoration,
    worker: Worker,
    scratch: Scratch,
    now: Timestamp,
}

fn expand(text: &str) -> Result<String, String> {
    variables::expand(text, &variables::environment)
}

impl Prepared {
    /// Reads the files of a pipeline.
    ///
    /// # Errors
    /// All that is wrong with them, as people read it.
    pub fn load(addresses: &[String], settings: RunnerSettings) -> Result<Prepared, String> {
        let options = ParseOptions { support_escapes: settings.support_escapes };
        let (config, mut findings) = files::load(addresses, options).map_err(|error| error.to_string())?;
        let prepared = Prepared { config, settings };
        check_ids(&prepared.config, &mut findings);
        compile_filters(&prepared.config, &prepared.build(), &mut findings);
        if has_errors(&findings) { Err(rendered(&findings)) } else { Ok(prepared) }
    }

    /// Tests count time in UTC, as logstash-filter-verifier does.
    fn build(&self) -> BuildContext<'static> {
        BuildContext {
            ecs: self.settings.ecs,
            clock: self.settings.clock,
            timezone: "UTC".into(),
            expand: &expand,
            directory: PathBuf::from("."),
            shared: Shared::default(),
        }
    }

    /// Compiles the pipeline for a suite.
    ///
    /// # Errors
    /// The input or the codec that the suite names does not exist.
    pub fn runner(&self, suite: &Suite) -> Result<SuiteRunner, String> {
        let build = self.build();
        let mut findings = Vec::new();
        let plan = compile_filters(&self.config, &build, &mut findings);
        let routes = compile_sections(&self.config, Kind::Output, &expand, &mut findings, &mut |plugin, _| {
            Some(id_of(plugin).unwrap_or_else(|| automatic_id(plugin)))
        });
        let input = match &suite.input {
            Some(id) => Some(self.input(id).ok_or_else(|| format!("no input has the id '{id}'"))?),
            None => None,
        };
        // Everything but the common options is the input's own business.
        let decoration =
            input.map(|input| InputDecoration::read(&mut Options::new(input, build.ecs, &expand, &mut Vec::new())));
        let written = match (&suite.codec, input) {
            (Some(codec), _) => Some(codec.clone()),
            (None, Some(input)) => {
                let codec = input.attributes.iter().find(|attribute| attribute.name == "codec");
                codec.map(|codec| codec.value.span.text().to_string())
            }
            (None, None) => None,
        };
        Ok(SuiteRunner {
            plan,
            routes,
            codec: read_codec(&written.unwrap_or_else(|| "line".into()), &build)?,
            decoration: decoration.unwrap_or_default(),
            worker: Worker::default(),
            scratch: Scratch::default(),
            now: self.settings.clock.now(),
        })
    }

    fn input(&self, id: &str) -> Option<&Plugin> {
        let mut found = None;
        for section in self.config.sections.iter().filter(|section| section.kind == Kind::Input) {
            each_plugin(&section.body, &mut |plugin| {
                if id_of(plugin).as_deref() == Some(id) {
                    found = Some(plugin);
                }
            });
        }
        found
    }
}

fn id_of(plugin: &Plugin) -> Option<String> {
    Options::new(plugin, Ecs::default(), &expand, &mut Vec::new()).id()
}

/// Builds a codec from its text. Its ECS mode is `disabled`: suites do not expect `[event][original]`.
fn read_codec(written: &str, build: &BuildContext<'_>) -> Result<Box<dyn Codec>, String> {
    let build = BuildContext {
        ecs: Ecs::Disabled,
        clock: build.clock,
        timezone: build.timezone.clone(),
        expand: build.expand,
        directory: build.directory.clone(),
        shared: Shared::default(),
    };
    let source =
        Source { name: "codec of the suite".into(), text: format!("input {{ suite {{ codec => {written} }} }}") };
    let (config, mut findings) = parse(&source.into(), ParseOptions::default());
    let mut codec = None;
    for section in &config.sections {
        each_plugin(&section.body, &mut |plugin| {
            let mut options = Options::new(plugin, build.ecs, build.expand, &mut findings);
            codec = codec::from_option(&mut options, &build, "line").ok();
        });
    }
    codec.filter(|_| !has_errors(&findings)).ok_or_else(|| rendered(&findings))
}

impl SuiteRunner {
    /// The filters, with what they have counted.
    pub fn plan(&self) -> &FilterPlan {
        &self.plan
    }
}

impl Runner for SuiteRunner {
    fn decode(&mut self, line: &str) -> Vec<Event> {
        let mut events = Vec::new();
        self.codec.decode(Str::from(line), self.now, &mut events);
        events.iter_mut().for_each(|event| self.decoration.apply(event));
        events
    }

    fn event(&mut self) -> Event {
        let mut event = Event::new(self.now);
        self.decoration.apply(&mut event);
        event
    }

    fn filter(&mut self, events: Vec<Event>) -> Vec<Event> {
        self.plan.run(events, &mut self.worker, self.now).events
    }

    fn rest(&mut self) -> Vec<Event> {
        self.plan.flush(true, &mut self.worker, self.now).events
    }

    fn outputs(&mut self, event: &Event) -> Vec<String> {
        let mut chosen = Vec::new();
        route(&self.routes, event, &mut self.scratch, &mut chosen);
        chosen
    }
}

/// The outputs of an event; a condition without an answer sends it nowhere.
fn route(nodes: &[Node<String>], event: &Event, scratch: &mut Scratch, chosen: &mut Vec<String>) {
    for node in nodes {
        match node {
            Node::Plugin(id) => chosen.push(id.clone()),
            Node::Branch(branch) => {
                let arm = branch.arms.iter().find_map(|(test, body)| match test.holds(event, scratch) {
                    Ok(true) => Some(Some(body)),
                    Ok(false) => None,
                    Err(_) => Some(None),
                });
                if let Some(body) = arm.unwrap_or(Some(&branch.otherwise)) {
                    route(body, event, scratch, chosen);
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::tune::cases::Outcome;

    const PIPELINE: &str = r#"
        input { tcp { id => "in" port => 5044 type => "app" tags => ["net"] codec => json_lines } }
        filter {
            if [type] == "syslog" {
                grok { match => { "message" => "^%{SYSLOGTIMESTAMP:time} %{WORD:host} %{GREEDYDATA:message}" } overwrite => ["message"] }
                date { match => ["time", "MMM  d HH:mm:ss"] remove_field => ["time"] }
            }
            if [drop] { drop { } }
            mutate { add_field => { "[@metadata][index]" => "i" } }
        }
        output { if [type] == "app" { stdout { id => "screen" } } else { null { id => "nowhere" } } }"#;

    fn run(name: &str, suite: &str) -> Vec<(Option<String>, Outcome)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conf");
        std::fs::write(&path, PIPELINE).unwrap();
        let clock = Clock::Frozen(Timestamp::parse_rfc3339("2015-10-07T00:00:00Z").unwrap());
        let settings = RunnerSettings { clock, ecs: Ecs::Disabled, support_escapes: false };
        let prepared = Prepared::load(&[path.display().to_string()], settings).unwrap();
        let suite = Suite::parse(Path::new(name), suite).unwrap();
        suite.run(&mut prepared.runner(&suite).unwrap())
    }

    #[test]
    fn suites_in_both_forms() {
        let yaml = r#"
fields: { type: syslog, "[a][b]": c }
ignore: ["[a][x]"]
testcases:
  - description: a line
    input: ["Oct  6 20:55:29 myhost This is a test"]
    expected:
      - { "@timestamp": "2015-10-06T20:55:29.000Z", host: myhost, message: This is a test, type: syslog, "[a][b]": c }
  - event: { drop: yes }
    input: ["x"]
    expected: []
"#;
        let outcomes = run("s.yml", yaml);
        assert_eq!(outcomes.len(), 2);
        assert_eq!(outcomes[0].0.as_deref(), Some("a line"));
        assert!(outcomes[0].1.passed(), "{:?}", outcomes[0].1);
        assert!(outcomes[1].1.passed(), "{:?}", outcomes[1].1);
        let json = r#"{"codec":"json_lines","ignore":["@timestamp"],"fields":{"type":"app"},
            "input":["{\"n\":1}","{\"n\":2}"],"expected":[{"n":1.0,"type":"app"},{"n":3,"type":"app"}]}"#;
        let Outcome::Differs { got, .. } = &run("s.json", json)[0].1 else { panic!("must differ") };
        assert_eq!(got[1], r#"{"n":2.0,"type":"app"}"#);
    }

    #[test]
    fn coverage_tells_what_no_event_reached() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conf");
        std::fs::write(&path, PIPELINE).unwrap();
        let settings = RunnerSettings { clock: Clock::System, ecs: Ecs::Disabled, support_escapes: false };
        let prepared = Prepared::load(&[path.display().to_string()], settings).unwrap();
        let suite = Suite::parse(Path::new("s.json"), r#"{"input":["x"],"expected":[]}"#).unwrap();
        let mut runner = prepared.runner(&suite).unwrap();
        suite.run(&mut runner);
        let mut coverage = super::super::coverage::Coverage::default();
        coverage.add(runner.plan());
        let mut out = Vec::new();
        coverage.print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(r#"never reached: if [type] == "syslog""#), "{text}");
        assert!(text.contains("never reached: grok") && !text.contains("never reached: mutate"), "{text}");
        assert!(text.ends_with("1 of 6 branches and filters reached\n"), "{text}");
    }

    #[test]
    fn inputs_outputs_and_metadata() {
        let suite = r#"{"input_plugin":"in","export_metadata":true,"ignore":["@timestamp"],"testcases":[
            {"input":["{\"n\":1}"],"expected_outputs":["screen"],
             "expected":[{"n":1,"type":"app","tags":["net"],"[@metadata][index]":"i"}]},
            {"input":["{\"n\":1}"],"expected_outputs":["nowhere"],"expected":[]}]}"#;
        let outcomes = run("s.json", suite);
        assert!(outcomes[0].1.passed(), "{:?}", outcomes[0].1);
        assert!(matches!(&outcomes[1].1, Outcome::Failed(message) if message.contains("screen")));
    }

    #[test]
    fn files_that_are_no_suites() {
        for (name, text, wanted) in [
            ("a.txt", "{}", "ends in"),
            ("a.json", "[]", "is a map"),
            ("a.json", r#"{"testcase":[]}"#, "did you mean 'testcases'?"),
            ("a.json", r#"{"testcases":[{"input":"x"}]}"#, "'input' must be a list"),
            ("a.yml", "fields: { \"a[b\": 1 }", "invalid field reference"),
        ] {
            let error = Suite::parse(Path::new(name), text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
