//! Sample container logs, for machines without any: what docker and a CRI runtime leave in their log folders.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tailrace_common::Timestamp;
use tailrace_common::datetime::SHORT_MONTHS;

/// The time over which the sample lines are spread, up to now.
const SPAN: Duration = Duration::from_secs(3600);

/// Writes the sample logs below `directory`, unless they are there; gives back the globs that find them.
pub(crate) fn write(directory: &Path, now: Timestamp) -> io::Result<Vec<String>> {
    let docker = directory.join("docker/containers");
    let pods = directory.join("pods");
    let globs = vec![format!("{}/*/*-json.log", docker.display()), format!("{}/*/*/*.log", pods.display())];
    let complete = directory.join("complete");
    if complete.try_exists()? {
        return Ok(globs);
    }
    let start = now - SPAN;
    write_docker(&docker, "4f3c1a", &nginx(start))?;
    write_docker(&docker, "9b27de", &spring(start))?;
    write_cri(&pods.join("prod_payments-7d9c_1f6e/payments"), &payments(start))?;
    write_cri(&pods.join("prod_users-58bd_77a0/users"), &users(start))?;
    fs::write(complete, "")?;
    Ok(globs)
}

/// A line of a service.
struct Line {
    time: Timestamp,
    stderr: bool,
    text: String,
}

impl Line {
    fn stream(&self) -> &'static str {
        if self.stderr { "stderr" } else { "stdout" }
    }
}

/// A small generator of varied numbers; the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

/// `count` moments spread over the span.
fn moments(start: Timestamp, count: u32) -> impl Iterator<Item = Timestamp> {
    (1..=count).map(move |number| start + SPAN * number / (count + 1))
}

fn nginx(start: Timestamp) -> Vec<Line> {
    let mut dice = Dice(0x9e37_79b9);
    let paths =
        ["/", "/api/orders", "/api/orders/4711", "/login", "/static/app.js", "/img/logo.svg", "/search?q=tail+race"];
    let agents = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1",
        "curl/8.5.0",
        "kube-probe/1.30",
    ];
    let mut lines = Vec::new();
    for time in moments(start, 900) {
        let (client, path) = (format!("203.0.113.{}", dice.below(250) + 1), dice.of(&paths));
        let status = dice.of(&["200", "200", "200", "200", "200", "301", "304", "404", "500", "502"]);
        let text = format!(
            "{client} - - [{}] \"{} {path} HTTP/1.1\" {status} {} \"https://shop.example.com/\" \"{}\"",
            common_log_time(time),
            dice.of(&["GET", "GET", "GET", "POST"]),
            dice.below(40_000),
            dice.of(&agents),
        );
        lines.push(Line { time, stderr: false, text });
        if status == "502" {
            let text = format!(
                "{} [error] 29#29: *{} connect() failed (111: Connection refused) while connecting to upstream, client: {client}, \
                 server: shop.example.com, request: \"GET {path} HTTP/1.1\", upstream: \"http://10.0.3.17:8080{path}\", host: \"shop.example.com\"",
                spaced_time(time, '/'),
                dice.below(90_000),
            );
            lines.push(Line { time, stderr: true, text });
        }
    }
    lines
}

fn spring(start: Timestamp) -> Vec<Line> {
    let mut dice = Dice(0x51ed_270b);
    let classes = [
        "c.e.orders.OrderController",
        "c.e.orders.StockClient",
        "o.s.web.servlet.DispatcherServlet",
        "c.zaxxer.hikari.HikariDataSource",
    ];
    let mut lines = Vec::new();
    for (number, time) in moments(start, 700).enumerate() {
        let thread = format!("nio-8080-exec-{}", dice.below(10) + 1);
        let order = 10_000 + number;
        if dice.below(12) > 0 {
            let level = dice.of(&[" INFO", " INFO", " INFO", "DEBUG", " WARN"]);
            let class = dice.of(&classes);
            let text =
                format!("{time} {level} 1 --- [{thread:>17}] {class:<40} : order {order} took {} ms", dice.below(900));
            lines.push(Line { time, stderr: false, text });
            continue;
        }
        let class = classes[0];
        let head = format!("{time} ERROR 1 --- [{thread:>17}] {class:<40} : order {order} failed");
        let trace = [
            head.as_str(),
            "java.lang.IllegalStateException: stock service answered 503",
            "\tat com.example.orders.StockClient.reserve(StockClient.java:88)",
            "\tat com.example.orders.OrderService.place(OrderService.java:41)",
            "\tat java.base/java.lang.Thread.run(Thread.java:1583)",
            "Caused by: java.net.SocketTimeoutException: Read timed out",
            "\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:278)",
            "\t... 2 more",
        ];
        lines.extend(trace.map(|text| Line { time, stderr: true, text: text.into() }));
    }
    lines
}

fn payments(start: Timestamp) -> Vec<Line> {
    let mut dice = Dice(0x2545_f491);
    let lines = moments(start, 500).enumerate().map(|(number, time)| {
        let failed = dice.below(15) == 0;
        let document = json!({
            "time": time.to_string(),
            "level": if failed { "error" } else { "info" },
            "msg": if failed { "card declined" } else { "payment captured" },
            "payment": { "id": format!("p-{number}"), "amount": dice.below(50_000) as f64 / 100.0, "currency": dice.of(&["EUR", "USD", "CNY"]) },
            "duration_ms": dice.below(400),
        });
        Line { time, stderr: failed, text: document.to_string() }
    });
    lines.collect()
}

fn users(start: Timestamp) -> Vec<Line> {
    let mut dice = Dice(0x0bad_cafe);
    let lines = moments(start, 300).map(|time| {
        let user = dice.of(&["张伟", "王芳", "李娜", "刘洋", "陈静"]);
        let (level, event) = match dice.below(9) {
            0 => ("ERROR", "登录失败：密码错误"),
            1 => ("WARN", "支付超时，正在重试"),
            2..=4 => ("INFO", "订单已创建"),
            _ => ("INFO", "登录成功"),
        };
        let text =
            format!("{} {level} [用户服务] 用户={user} {event} 耗时={}ms", spaced_time(time, '-'), dice.below(300));
        Line { time, stderr: level == "ERROR", text }
    });
    lines.collect()
}

/// `15/Mar/2024:08:30:45 +0000`
fn common_log_time(time: Timestamp) -> String {
    let date = time.date();
    let month = SHORT_MONTHS[date.month as usize - 1];
    format!("{:02}/{month}/{}:{} +0000", date.day, date.year, clock_time(time))
}

/// `2024-03-15 08:30:45`
fn spaced_time(time: Timestamp, separator: char) -> String {
    let date = time.date();
    format!("{}{separator}{:02}{separator}{:02} {}", date.year, date.month, date.day, clock_time(time))
}

fn clock_time(time: Timestamp) -> String {
    let second = time.second_of_day();
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// One file of docker's json-file driver.
fn write_docker(containers: &Path, seed: &str, lines: &[Line]) -> io::Result<()> {
    let id = seed.repeat(11)[..64].to_string();
    let mut out = String::new();
    for line in lines {
        let record =
            json!({ "log": format!("{}\n", line.text), "stream": line.stream(), "time": line.time.to_string() });
        out.push_str(&record.to_string());
        out.push('\n');
    }
    let folder = containers.join(&id);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{id}-json.log")), out)
}

/// Longest piece of a line that a CRI runtime writes at once; theirs is 16 KiB, this one shows the joining.
const CRI_PIECE: usize = 160;

/// One file of a CRI runtime: long lines in pieces.
fn write_cri(folder: &Path, lines: &[Line]) -> io::Result<()> {
    let mut out = String::new();
    for line in lines {
        let mut rest = line.text.as_str();
        while rest.len() > CRI_PIECE {
            let cut = (1..=CRI_PIECE).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
            cri_line(&mut out, line, 'P', &rest[..cut]);
            rest = &rest[cut..];
        }
        cri_line(&mut out, line, 'F', rest);
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("0.log"), out)
}

fn cri_line(out: &mut String, line: &Line, flag: char, text: &str) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(out, "{} {} {flag} {text}", line.time, line.stream());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let globs = write(folder.path(), Timestamp::from_millis(1_700_000_000_000)).unwrap();
        let docker = folder.path().join("docker/containers");
        assert_eq!(fs::read_dir(&docker).unwrap().count(), 2);
        fs::remove_dir_all(&docker).unwrap();
        assert_eq!(write(folder.path(), Timestamp::from_millis(0)).unwrap(), globs);
        assert!(!docker.exists());
    }

    #[test]
    fn every_docker_line_is_json_and_pieces_of_cri_lines_join() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), Timestamp::from_millis(1_700_000_000_000)).unwrap();
        for container in fs::read_dir(folder.path().join("docker/containers")).unwrap() {
            let container = container.unwrap().path();
            let id = container.file_name().unwrap().to_str().unwrap().to_string();
            let text = fs::read_to_string(container.join(format!("{id}-json.log"))).unwrap();
            assert!(
                text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["log"].is_string())
            );
        }
        let text = fs::read_to_string(folder.path().join("pods/prod_payments-7d9c_1f6e/payments/0.log")).unwrap();
        let joined: String = text.lines().map(|line| line.splitn(4, ' ').nth(3).unwrap()).collect();
        let documents = serde_json::Deserializer::from_str(&joined).into_iter::<serde_json::Value>();
        assert_eq!(documents.map(Result::unwrap).count(), 500);
    }
}
