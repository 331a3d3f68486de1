//! A quick look at the speed of the engine, by row: `cargo run --release --example quick -p tailrace-grok [FILTER]`.

use std::hint::black_box;

use tailrace_grok::{Budget, Grok, GrokOptions, GrokSet, PatternSet, Scratch};

mod lines;
use lines::*;

/// The CPU time of this thread in nanoseconds: other work on the machine does not count.
fn cpu_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or_default()
}

fn best_of<F: FnMut() -> usize>(lines: usize, mut run: F) -> (f64, usize) {
    let (mut best, mut count) = (f64::MAX, 0);
    if std::env::var_os("ROUNDS").is_some() {
        return (0.0, (0..5).map(|_| run()).sum());
    }
    // The clock ticks every few milliseconds.
    for _ in 0..4 {
        let (start, mut rounds, mut spent) = (cpu_time(), 0, 0);
        while spent < 40_000_000 {
            count = run();
            rounds += 1;
            spent = cpu_time() - start;
        }
        best = best.min(spent as f64 / (lines * rounds) as f64);
    }
    (best, count)
}

/// A list of fifty patterns: lines that the last matches, that none matches, and the last pattern alone.
fn list() -> Result<(), Box<dyn std::error::Error>> {
    let patterns = PatternSet::legacy();
    let words = ["connection", "session", "request", "worker", "cache"];
    let actions =
        ["opened", "closed", "failed", "retried", "expired", "moved", "queued", "dropped", "checked", "renewed"];
    let names: Vec<(&str, &str)> =
        words.iter().flat_map(|word| actions.iter().map(move |action| (*word, *action))).collect();
    let compile = |(word, action): &(&str, &str)| {
        let head = "%{SYSLOGTIMESTAMP:timestamp} %{SYSLOGHOST:host} %{PROG:program}: ";
        let tail = " by %{USER:user} from %{IP:client} in %{NUMBER:ms:float} ms";
        let text = format!("{head}{word} %{{INT:id:int}} {action}{tail}");
        Grok::compile(&patterns, &text, &GrokOptions::default())
    };
    let all = GrokSet::new(names.iter().map(compile).collect::<Result<_, _>>()?);
    let last = GrokSet::new(vec![compile(&names[49])?]);
    let lines = |of: (&str, &str)| -> Vec<String> {
        let mut r = Random(0x9E37_79B9_7F4A_7C15);
        let line = |r: &mut Random| {
            let head = syslog(r);
            let head = head.split('[').next().and_then(|head| head.split(": ").next()).unwrap_or_default().to_owned();
            let (word, action) = of;
            format!(
                "{head}: {word} {} {action} by user{} from {} in {}.5 ms",
                r.below(1000),
                r.below(50),
                ip(r),
                r.below(900)
            )
        };
        (0..2000).map(|_| line(&mut r)).collect()
    };
    let (hits, misses) = (lines(names[49]), lines(("upload", "started")));
    let rows = [
        ("list-last", &all, &hits),
        ("list-alone", &last, &hits),
        ("list-none", &all, &misses),
        ("list-one-miss", &last, &misses),
    ];
    for (name, set, lines) in rows {
        let (mut scratch, mut spans) = (Scratch::default(), Vec::new());
        let (ns, hits) = best_of(lines.len(), || {
            let mut found =
                |line: &&String| set.captures(line.as_bytes(), &mut scratch, Budget::UNLIMITED, &mut spans) != Ok(None);
            lines.iter().filter(|line| found(line)).count()
        });
        println!("{name:16} {ns:8.0} ns/line  {hits} of {}", lines.len());
    }
    Ok(())
}

const JAVA: &str =
    "%{TIMESTAMP_ISO8601:ts} %{LOGLEVEL:level} \\[%{DATA:thread}\\] %{JAVACLASS:class} - %{GREEDYDATA:msg}";
const NGINX: &str = "(?<timestamp>%{YEAR}[./]%{MONTHNUM}[./]%{MONTHDAY} %{TIME}) \\[%{LOGLEVEL:severity}\\] %{POSINT:pid}#%{NUMBER:tid}: \\*%{NUMBER:cid} %{GREEDYDATA:message}, client: %{IP:client}, server: %{DATA:server}, request: \"%{WORD:verb} %{URIPATHPARAM:path} HTTP/%{NUMBER:version}\"";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let against = std::env::args().nth(2).is_some();
    type Row = (&'static str, bool, &'static str, fn(&mut Random) -> String);
    let rows: &[Row] = &[
        ("apache", false, "%{COMBINEDAPACHELOG}", apache),
        ("apache-ecs", true, "%{COMBINEDAPACHELOG}", apache),
        ("apache-miss", false, "%{COMBINEDAPACHELOG}", damaged),
        ("apache-cut", false, "%{COMBINEDAPACHELOG}", cut),
        ("apache-spoilt", false, "%{COMBINEDAPACHELOG}", apache_spoilt),
        ("apache-miss-ecs", true, "%{COMBINEDAPACHELOG}", damaged),
        ("syslog", false, "%{SYSLOGLINE}", syslog),
        ("syslog-spoilt", false, "%{SYSLOGLINE}", syslog_spoilt),
        ("java", false, JAVA, java),
        ("java-spoilt", false, JAVA, java_spoilt),
        ("nginx-error", false, NGINX, nginx),
        ("nginx-spoilt", false, NGINX, nginx_spoilt),
        ("haproxy", false, "%{HAPROXYHTTP}", haproxy),
        ("haproxy-spoilt", false, "%{HAPROXYHTTP}", haproxy_spoilt),
        ("ipv6", false, "%{IPV6:src} -> %{IPV6:dst} proto %{WORD:proto} len %{INT:len}", ipv6),
        ("ip-any", false, "%{IP:src} -> %{IP:dst} proto %{WORD:proto} len %{INT:len}", ipv6),
        ("long", false, "%{LOGLEVEL:level} %{INT:n} %{GREEDYDATA:msg}", long),
        ("data", false, "%{GREEDYDATA:a} delta: %{DATA:b} epsilon, %{GREEDYDATA:c}", long),
    ];
    let exact = rows.iter().any(|(name, ..)| *name == filter);
    for (name, ecs, pattern, make) in rows {
        if !name.starts_with(&filter) || (exact && *name != filter) {
            continue;
        }
        let set = if *ecs { PatternSet::ecs_v1() } else { PatternSet::legacy() };
        let grok = Grok::compile(&set, pattern, &GrokOptions::default())?;
        if against && std::env::args().nth(2).as_deref() == Some("dump") {
            println!("{}\n{}", grok.expanded(), grok.regex().program());
            continue;
        }
        let lines = lines(*make);
        let (mut scratch, mut spans) = (Scratch::default(), Vec::new());
        let (ns, hits) = best_of(lines.len(), || {
            let matched = |line: &&String| {
                grok.captures(black_box(line.as_bytes()), &mut scratch, Budget::UNLIMITED, &mut spans) == Ok(true)
            };
            lines.iter().filter(matched).count()
        });
        print!("{name:16} {ns:8.0} ns/line  {:5.2} M/s  {hits} of {}", 1000.0 / ns, lines.len());
        if against {
            let regex = onig::Regex::with_options(
                grok.expanded(),
                onig::RegexOptions::REGEX_OPTION_MULTILINE,
                onig::Syntax::ruby(),
            )?;
            let mut region = onig::Region::new();
            let (other, hits) = best_of(lines.len(), || {
                lines
                    .iter()
                    .filter(|line| {
                        region.clear();
                        regex
                            .search_with_options(
                                line,
                                0,
                                line.len(),
                                onig::SearchOptions::SEARCH_OPTION_NONE,
                                Some(&mut region),
                            )
                            .is_some()
                    })
                    .count()
            });
            print!("   onig {other:8.0} ns ({hits})  {:5.1} times", other / ns);
        }
        println!();
    }
    if filter.is_empty() || filter == "list" {
        list()?;
    }
    if filter.is_empty() || filter == "compile" {
        let start = cpu_time();
        let mut count = 0;
        for set in [PatternSet::legacy(), PatternSet::ecs_v1()] {
            for name in set.names() {
                black_box(Grok::compile(&set, &format!("%{{{name}}}"), &GrokOptions::default())?);
                count += 1;
            }
            println!("compiled {count} patterns in {:.1} ms", (cpu_time() - start) as f64 / 1e6);
        }
    }
    Ok(())
}
