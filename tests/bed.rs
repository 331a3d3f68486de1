//! The test bed itself: a fault that does not happen would let every test that relies on it pass.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::elastic::elastic;
use crate::support::kafka;
use crate::support::proxy::Proxy;
use crate::support::reject::{Fault, Rejecter};
use crate::support::services::services;
use crate::support::unique;

#[test]
fn kafka_gives_back_what_was_written() {
    let topic = kafka::make_topic("bed", 3);
    let payloads: Vec<String> = (0..300).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    kafka::produce(&topic, payloads.iter().enumerate().map(|(n, p)| ((n % 3) as i32, p.as_bytes())));
    assert_eq!(kafka::count_records(&topic), 300);
    let mut numbers: Vec<u64> = kafka::read_topic(&topic).iter().map(|r| r.json()["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
}

fn bulk(url: &str, index: &str, ids: std::ops::Range<u32>) -> Result<Value, ureq::Error> {
    let body: String =
        ids.map(|id| format!("{{\"create\":{{\"_index\":\"{index}\",\"_id\":\"{id}\"}}}}\n{{\"n\":{id}}}\n")).collect();
    let mut response = ureq::post(format!("{url}/_bulk")).header("content-type", "application/x-ndjson").send(body)?;
    response.body_mut().read_json()
}

fn statuses(answer: &Value) -> Vec<u64> {
    answer["items"].as_array().unwrap().iter().map(|item| item["create"]["status"].as_u64().unwrap()).collect()
}

#[test]
fn rejecter_meets_bulk_requests_with_its_faults() {
    let index = unique("bed");
    let faults = [Fault::Status(503), Fault::Items { nth: 2, status: 429 }, Fault::LoseAnswer];
    let rejecter = Rejecter::start(services().elasticsearch(), faults);
    assert!(matches!(bulk(&rejecter.url(), &index, 0..4), Err(ureq::Error::StatusCode(503))));
    assert_eq!(elastic().count(&index), 0);
    assert_eq!(statuses(&bulk(&rejecter.url(), &index, 0..4).unwrap()), [201, 429, 201, 429]);
    assert_eq!(elastic().count(&index), 2);
    assert!(bulk(&rejecter.url(), &index, 4..6).is_err());
    assert_eq!(elastic().count(&index), 4, "a lost answer means that the documents are indexed");
    assert_eq!(statuses(&bulk(&rejecter.url(), &index, 0..6).unwrap()), [409, 201, 409, 201, 409, 409]);
    assert_eq!((rejecter.bulks(), rejecter.faults_left()), (4, 0));
    let documents = elastic().documents(&index);
    assert!(documents.iter().all(|d| d.source["n"] == json!(d.id.parse::<u32>().unwrap())));
}

#[test]
fn proxy_passes_refuses_and_cuts() {
    let upstream = services().elasticsearch().trim_start_matches("http://");
    let proxy = Proxy::start("127.0.0.1:0", upstream);
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(proxy.address())?;
        stream.write_all(b"GET /_cat/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    assert!(ask().unwrap().starts_with("HTTP/1.1 200"));
    proxy.refuse(true);
    assert!(ask().map_or(true, |answer| answer.is_empty()));
    proxy.refuse(false);
    let mut idle = TcpStream::connect(proxy.address()).unwrap();
    assert!(ask().unwrap().starts_with("HTTP/1.1 200"));
    proxy.cut();
    assert!(idle.read(&mut [0; 1]).map_or(true, |length| length == 0));
    assert!(proxy.accepted() >= 4);
}

#[test]
fn browser_types_clicks_and_reports_errors() {
    let Some(mut browser) = Browser::start() else {
        eprintln!("skipped: no browser is installed");
        return;
    };
    browser
        .open("data:text/html,<input id=i><button id=b onclick=\"document.title = i.value; missing();\">go</button>");
    browser.wait_for("document.querySelector('button')");
    browser.type_into("#i", "typed");
    assert_eq!(browser.problems(), &[] as &[String]);
    browser.click("#b");
    browser.wait_for("document.title == 'typed'");
    assert_eq!(browser.problems().len(), 1);
}

#[test]
fn elasticsearch_answers_as_the_real_one() {
    let index = unique("bed");
    elastic().make_index(&index, &json!({"n": {"type": "integer"}}));
    let (status, answer) = elastic().call("PUT", &format!("/{index}/_create/1"), &json!({"n": "not a number"}));
    assert_eq!((status, answer["error"]["type"].as_str()), (400, Some("document_parsing_exception")));
}
