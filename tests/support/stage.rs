//! One test's own stage: a folder with log files, a topic, an index, and the configurations that join them.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::elastic::elastic;
use super::kafka::make_topic;
use super::program::{Program, tailrace};
use super::services::services;
use super::unique;

/// How many partitions the topic of a stage has.
pub(crate) const PARTITIONS: i32 = 3;

/// A folder, a topic and an index of one test.
pub(crate) struct Stage {
    dir: TempDir,
    /// The topic between agent and processor.
    pub(crate) topic: String,
    /// The index at the end, and the name of the consumer group.
    pub(crate) index: String,
    /// Bootstrap servers for the agent and the processor; a test may put a proxy here.
    pub(crate) kafka: String,
    /// The address of Elasticsearch for the processor; a test may put a [`super::reject::Rejecter`] here.
    pub(crate) elasticsearch: String,
    /// Further lines of the agent's `output.kafka`.
    pub(crate) agent_settings: String,
    /// Further options of the processor's `kafka` input.
    pub(crate) input_settings: String,
    /// Further options of the processor's `elasticsearch` output.
    pub(crate) output_settings: String,
}

impl Stage {
    /// Makes the folder, the topic and the index; in it `n` is a whole number, and a document where it is anything else is rejected.
    pub(crate) fn new(name: &str) -> Self {
        let stage = Self {
            dir: TempDir::new().unwrap(),
            topic: make_topic(name, PARTITIONS),
            index: unique(name),
            kafka: services().kafka().to_owned(),
            elasticsearch: services().elasticsearch().to_owned(),
            agent_settings: String::new(),
            input_settings: String::new(),
            output_settings: String::new(),
        };
        std::fs::create_dir(stage.logs()).unwrap();
        elastic().make_index(&stage.index, &json!({"n": {"type": "long"}}));
        stage
    }

    /// The stage's folder.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The folder of the log files: the agent tails `*.log` in it.
    pub(crate) fn logs(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    /// Writes `agent.yml`: the `container` input over `*.log` into the topic.
    pub(crate) fn write_agent_config(&self) -> PathBuf {
        self.write_agent_input("container", "*.log")
    }

    /// Writes `agent.yml`: an input of this type over the log files that the glob names, into the topic.
    pub(crate) fn write_agent_input(&self, kind: &str, glob: &str) -> PathBuf {
        let text = format!(
            r#"path.data: {data}
filebeat.inputs:
  - type: {kind}
    id: stage
    paths:
      - {logs}/{glob}
output.kafka:
  hosts: ["{hosts}"]
  topic: {topic}
  compression: lz4
{further}
"#,
            data = self.path().join("agent-data").display(),
            logs = self.logs().display(),
            hosts = self.kafka.replace(',', "\", \""),
            topic = self.topic,
            further = self.agent_settings,
        );
        self.write("agent.yml", &text)
    }

    /// Writes `pipeline.conf`: the topic, the filters given, Elasticsearch.
    pub(crate) fn write_pipeline(&self, filters: &str) -> PathBuf {
        let (hosts, index, further) = (&self.elasticsearch, &self.index, &self.output_settings);
        let output = format!("elasticsearch {{ hosts => [\"{hosts}\"] index => \"{index}\" {further} }}");
        self.write_pipeline_to(filters, &output)
    }

    /// Writes `pipeline.conf`: the topic, the filters given, the output given.
    pub(crate) fn write_pipeline_to(&self, filters: &str, output: &str) -> PathBuf {
        let (kafka, topic, index, further) = (&self.kafka, &self.topic, &self.index, &self.input_settings);
        let text = format!(
            r#"input {{
  kafka {{
    bootstrap_servers => "{kafka}"
    topics => ["{topic}"]
    group_id => "{index}"
    auto_offset_reset => "earliest"
    codec => json
    {further}
  }}
}}
filter {{
  {filters}
}}
output {{
  {output}
}}
"#
        );
        self.write("pipeline.conf", &text)
    }

    /// Starts the agent on `agent.yml`, with further arguments.
    pub(crate) fn start_agent(&self, arguments: &[&str]) -> Program {
        let mut command = tailrace();
        command.args(["agent", "-c"]).arg(self.path().join("agent.yml")).args(arguments);
        Program::start(&mut command, self.path(), "agent")
    }

    /// Starts the processor on `pipeline.conf`, with further arguments.
    pub(crate) fn start_processor(&self, arguments: &[&str]) -> Program {
        let mut command = tailrace();
        command.args(["processor", "-f"]).arg(self.path().join("pipeline.conf"));
        command.arg("--path.data").arg(self.path().join("processor-data")).args(arguments);
        Program::start(&mut command, self.path(), "processor")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}
