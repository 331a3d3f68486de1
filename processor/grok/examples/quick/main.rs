//! A quick look at the speed of the engine, by row: `cargo run --release --example quick -p tailrace-grok [FILTER]`.

use std::hint::black_box;

use tailrace_grok::{Budget, Grok, GrokOptions, PatternSet, Scratch};

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let against = std::env::args().nth(2).is_some();
    type Row = (&'static str, bool, &'static str, fn(&mut Random) -> String);
    let rows: &[Row] = &[
        ("apache", false, "%{COMBINEDAPACHELOG}", apache),
        ("apache-ecs", true, "%{COMBINEDAPACHELOG}", apache),
        ("apache-miss", false, "%{COMBINEDAPACHELOG}", damaged),
        ("apache-miss-ecs", true, "%{COMBINEDAPACHELOG}", damaged),
        ("syslog", false, "%{SYSLOGLINE}", syslog),
        (
            "java",
            false,
            "%{TIMESTAMP_ISO8601:ts} %{LOGLEVEL:level} \\[%{DATA:thread}\\] %{JAVACLASS:class} - %{GREEDYDATA:msg}",
            java,
        ),
        (
            "nginx-error",
            false,
            "(?<timestamp>%{YEAR}[./]%{MONTHNUM}[./]%{MONTHDAY} %{TIME}) \\[%{LOGLEVEL:severity}\\] %{POSINT:pid}#%{NUMBER:tid}: \\*%{NUMBER:cid} %{GREEDYDATA:message}, client: %{IP:client}, server: %{DATA:server}, request: \"%{WORD:verb} %{URIPATHPARAM:path} HTTP/%{NUMBER:version}\"",
            nginx,
        ),
        ("haproxy", false, "%{HAPROXYHTTP}", haproxy),
        ("ipv6", false, "%{IPV6:src} -> %{IPV6:dst} proto %{WORD:proto} len %{INT:len}", ipv6),
        ("ip-any", false, "%{IP:src} -> %{IP:dst} proto %{WORD:proto} len %{INT:len}", ipv6),
        ("long", false, "%{LOGLEVEL:level} %{INT:n} %{GREEDYDATA:msg}", long),
        ("data", false, "%{GREEDYDATA:a} delta: %{DATA:b} epsilon, %{GREEDYDATA:c}", long),
    ];
    for (name, ecs, pattern, make) in rows {
        if !name.starts_with(&filter) {
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
