//! `tailrace quickstart`, its page in a real browser, and `tailrace search`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::browser::Browser;
use crate::support::eventually;
use crate::support::logs::{ContainerLog, Format};
use crate::support::program::{Program, tailrace};

/// A folder with log files and a data folder.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { dir: TempDir::new().unwrap() };
        std::fs::create_dir(home.logs()).unwrap();
        home
    }

    fn logs(&self) -> std::path::PathBuf {
        self.dir.path().join("logs")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tailrace();
        command.arg("quickstart").arg(self.logs().join("*.log")).args(arguments);
        command.arg("--data").arg(self.data());
        command
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// Reads everything there is and ends.
    fn read_once(&self) -> String {
        let mut program = Program::start(&mut self.command(&["--once", "--no-web"]), self.dir.path(), "quickstart");
        let status = program.wait();
        assert!(status.success(), "{status}");
        program.output()
    }

    fn count(&self, query: &str) -> u64 {
        search(&self.data(), &["--count", query]).trim().parse().unwrap()
    }

    fn documents(&self, query: &str) -> Vec<Value> {
        let text = search(&self.data(), &["--limit", "10000", "--format", "json", query]);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn search(data: &Path, arguments: &[&str]) -> String {
    let output = tailrace().arg("search").arg("--data").arg(data).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn access_line(n: u64) -> String {
    let status = if n.is_multiple_of(10) { 503 } else { 200 };
    format!(
        r#"192.0.2.{} - - [02/Mar/2026:00:{:02}:{:02} +0000] "GET /item/{n} HTTP/1.1" {status} 512 "-" "curl/8.14.1""#,
        n % 200 + 1,
        n / 60 % 60,
        n % 60
    )
}

fn write_access_lines(home: &Home, numbers: std::ops::Range<u64>) {
    let mut log = ContainerLog::open(&home.logs().join("web.log"), Format::Docker);
    numbers.for_each(|n| log.line("stdout", &access_line(n)));
    log.flush();
}

#[test]
fn once_and_again_reads_nothing_twice() {
    let home = Home::new();
    write_access_lines(&home, 0..1000);
    home.read_once();
    assert_eq!(home.count(""), 1000);
    assert_eq!(home.count("http.response.status_code:503"), 100);
    assert_eq!(home.count("url.original:\"/item/77\""), 1);
    home.read_once();
    assert_eq!(home.count(""), 1000, "nothing is read twice");
    write_access_lines(&home, 1000..1500);
    home.read_once();
    assert_eq!(home.count(""), 1500, "nothing is lost");
    let documents = home.documents("http.response.status_code:>=500");
    assert_eq!(documents.len(), 150);
    for document in documents {
        let message = document["message"].as_str().unwrap();
        let n: u64 = document["url"]["original"].as_str().unwrap().trim_start_matches("/item/").parse().unwrap();
        assert_eq!(message, access_line(n));
        assert_eq!(document["log"]["file"]["path"].as_str().unwrap(), home.logs().join("web.log").to_str().unwrap());
        assert_eq!(document["stream"], "stdout");
    }
}

#[test]
fn killed_quickstart_goes_on_where_it_was() {
    let home = Home::new();
    write_access_lines(&home, 0..20_000);
    let program = Program::start(&mut home.command(&["--no-web"]), home.dir.path(), "quickstart");
    let index = home.data().join("index");
    eventually("the index begins", || index.exists().then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(fastrand::u64(50..1500)));
    program.kill();
    home.read_once();
    assert_eq!(home.count(""), 20_000);
}

#[test]
fn page_searches_filters_expands_and_follows() {
    let home = Home::new();
    write_access_lines(&home, 0..300);
    let program = Program::start(&mut home.command(&[]), home.dir.path(), "quickstart");
    let address = eventually("quickstart prints its address", || {
        let output = program.output();
        let at = output.find("http://127.0.0.1:")?;
        let length = output[at..].find(|c: char| c.is_whitespace() || c == '\u{1b}')?;
        Some(output[at..at + length].trim_end_matches(['.', ',', '\'', '"']).to_owned())
    });
    let Some(mut browser) = Browser::start() else {
        eprintln!("skipped: no browser is installed");
        return;
    };
    browser.open(&address);
    let summary = "document.querySelector('#summary').textContent";
    let reload = "document.querySelector('#search').requestSubmit()";
    eventually("all documents are on the page", || {
        browser.wait_for(&format!("{summary} != ''"));
        let all = browser.evaluate(&format!("{summary}.startsWith('300 ')")) == true;
        if !all {
            browser.evaluate(reload);
        }
        all.then_some(())
    });
    browser.wait_for("document.querySelectorAll('#histogram button').length > 0");

    // Search, as a person types it.
    browser.type_into("#query", "http.response.status_code:503");
    browser.press("Enter", 13);
    browser.wait_for(&format!("{summary}.startsWith('30 ')"));
    browser.wait_for("document.querySelectorAll('#hits tr.hit').length == 30");

    // Expand the first document, and narrow the search to one of its values.
    browser.click("#hits tr.hit");
    browser.wait_for("document.querySelector('#hits tr.details dl')");
    browser.evaluate("[...document.querySelectorAll('tr.details dt')].find(e => e.textContent == 'url.original').nextSibling.querySelector('button').id = 'narrow'");
    browser.click("#narrow");
    browser.wait_for(&format!("{summary}.startsWith('1 ')"));

    // The values beside the hits narrow it as well.
    browser.type_into("#query", "");
    browser.press("Enter", 13);
    browser.wait_for(&format!("{summary}.startsWith('300 ')"));
    browser.evaluate("[...document.querySelectorAll('#fields button')].find(e => e.title == 'only http.response.status_code: 503').id = 'value'");
    browser.click("#value");
    browser.wait_for(&format!("{summary}.startsWith('30 ')"));

    // A query that cannot be read says so, and the page goes on.
    browser.type_into("#query", "(unclosed");
    browser.press("Enter", 13);
    browser.wait_for("!document.querySelector('#error').hidden && document.querySelector('#error').textContent != ''");

    // Follow: a line that is written now appears by itself.
    browser.type_into("#query", "appears");
    browser.press("Enter", 13);
    browser.wait_for(&format!("{summary}.startsWith('0 ')"));
    browser.click("#follow");
    let mut log = ContainerLog::open(&home.logs().join("web.log"), Format::Docker);
    log.line("stderr", "2026-03-02 00:00:00 ERROR <b>appears</b> while one looks on");
    log.flush();
    browser.wait_for(&format!("{summary}.startsWith('1 ')"));
    browser.wait_for("document.querySelector('#hits tr.hit').textContent.includes('<b>appears</b>')");
    browser.wait_for("document.querySelector('#progress').textContent.includes('indexed 301')");

    let bad: Vec<String> = browser.problems().iter().filter(|p| !p.contains("/api/search")).cloned().collect();
    assert_eq!(bad, [] as [String; 0]);
    assert!(program.stop().success());
}
