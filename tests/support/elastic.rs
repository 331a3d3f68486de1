//! Elasticsearch seen from outside: plain HTTP, without our own output's client.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

use super::PATIENCE;
use super::services::services;

/// A client of an Elasticsearch.
pub(crate) struct Elastic {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

/// A document with its id.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its index (of a data stream: the backing index).
    pub(crate) index: String,
    /// Its `_id`.
    pub(crate) id: String,
    /// Its `_source`.
    pub(crate) source: Value,
}

/// A client of the Elasticsearch of the tests.
pub(crate) fn elastic() -> Elastic {
    Elastic { agent: configure().build().into(), base: services().elasticsearch().to_owned(), authorization: None }
}

/// A client of the node with TLS and users; nothing where the servers have none.
pub(crate) fn secure_elastic() -> Option<Elastic> {
    let fact = |name: &str| services().fact(&format!("TAILRACE_TEST_{name}"));
    let authority = std::fs::read(Path::new(fact("TLS")?).join("ca.crt")).unwrap();
    let authority = Certificate::from_pem(&authority).unwrap();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build();
    let user = format!("{}:{}", fact("ELASTICSEARCH_USER")?, fact("ELASTICSEARCH_PASSWORD")?);
    Some(Elastic {
        agent: configure().tls_config(tls).build().into(),
        base: fact("ELASTICSEARCH_SECURE")?.to_owned(),
        authorization: Some(format!("Basic {}", STANDARD.encode(user))),
    })
}

fn configure() -> ConfigBuilder<AgentScope> {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(super::PATIENCE))
}

impl Elastic {
    /// A request with a JSON body, or none for null; returns the status and the answer.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request =
            request.body(if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() }).unwrap();
        let mut response = self.agent.run(request).unwrap();
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// A request that must succeed.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!(status < 300, "{method} {path} answered {status}: {answer}");
        answer
    }

    /// Makes an index with one shard and this mapping.
    pub(crate) fn make_index(&self, name: &str, properties: &Value) {
        let settings = json!({"number_of_shards": 1, "number_of_replicas": 0});
        self.ask("PUT", &format!("/{name}"), &json!({"settings": settings, "mappings": {"properties": properties}}));
    }

    /// How many documents one can search now; an index that is not there has none.
    pub(crate) fn count(&self, index: &str) -> u64 {
        self.call("POST", &format!("/{index}/_refresh"), &Value::Null);
        match self.call("GET", &format!("/{index}/_count"), &Value::Null) {
            (404, _) => 0,
            // Short of memory, or the index is only just being made.
            (429 | 503, _) => {
                std::thread::sleep(Duration::from_millis(500));
                self.count(index)
            }
            (_, answer) => answer["count"].as_u64().unwrap_or_else(|| panic!("could not count \"{index}\": {answer}")),
        }
    }

    /// Waits until an index has at least so many documents, for as long as their number grows.
    pub(crate) fn await_count(&self, index: &str, wanted: u64) {
        let (mut count, mut grown) = (0, Instant::now());
        while count < wanted {
            let now = self.count(index);
            assert!(now >= count, "documents have vanished from \"{index}\": {now} are left of {count}");
            if now > count {
                (count, grown) = (now, Instant::now());
            }
            assert!(grown.elapsed() < PATIENCE, "{count} of {wanted} documents, and no more for {PATIENCE:?}");
            // Each look is a refresh, which costs the server more than the documents do.
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// How many documents an index has taken so far, seen without a refresh.
    pub(crate) fn indexed(&self, index: &str) -> u64 {
        let answer = self.ask("GET", &format!("/{index}/_stats/indexing"), &Value::Null);
        answer["_all"]["primaries"]["indexing"]["index_total"].as_u64().unwrap()
    }

    /// All documents of an index, page by page.
    pub(crate) fn documents(&self, index: &str) -> Vec<Document> {
        const PAGE: usize = 5000;
        self.ask("POST", &format!("/{index}/_refresh"), &Value::Null);
        let mut scroll =
            self.ask("POST", &format!("/{index}/_search?scroll=5m"), &json!({"size": PAGE, "sort": ["_doc"]}));
        let mut documents = Vec::new();
        loop {
            let hits = scroll["hits"]["hits"].as_array_mut().unwrap();
            let last = hits.len() < PAGE;
            documents.extend(hits.drain(..).map(|mut hit| Document {
                index: hit["_index"].as_str().unwrap().to_owned(),
                id: hit["_id"].as_str().unwrap().to_owned(),
                source: hit["_source"].take(),
            }));
            if last {
                return documents;
            }
            let next = json!({"scroll": "5m", "scroll_id": scroll["_scroll_id"]});
            scroll = self.ask("POST", "/_search/scroll", &next);
        }
    }
}
