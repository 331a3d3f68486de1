//! The table: nanoseconds a line for every row and engine, measured in turns, so that what else the machine does hits all
//! engines alike.

use std::hint::black_box;
use std::time::Duration;

use super::engines::{ENGINES, Engine, Spans};
use super::rows::{self, Row};

/// How often each engine has its turn.
const ROUNDS: usize = 11;
/// How long a turn takes at least.
const TURN: Duration = Duration::from_millis(25);
/// So many lines are gone through before the first look at the clock.
const FIRST_BATCH: usize = 100;

/// The processor time of this thread, by Linux' account: what others do on the machine does not count.
fn cpu() -> Duration {
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells what a thread has used");
    let nanos = account.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("the first number is the nanoseconds that it ran"))
}

/// Goes through the lines until a turn is over; nanoseconds a line.
fn turn(engine: &mut dyn Engine, lines: &[String]) -> f64 {
    let mut spans = Spans::new();
    let (begun, mut done, mut batch) = (cpu(), 0usize, FIRST_BATCH);
    loop {
        for line in lines.iter().cycle().skip(done % lines.len()).take(batch) {
            spans.clear();
            black_box(engine.captures(black_box(line), &mut spans));
        }
        done += batch;
        let spent = cpu() - begun;
        if spent >= TURN && done >= lines.len() {
            return spent.as_nanos() as f64 / done as f64;
        }
        // A look at the clock takes as long as a fast engine needs for twenty lines.
        if spent < TURN / 4 {
            batch *= 2;
        }
    }
}

/// What an engine finds in all lines: pattern and groups that took part, sorted.
fn answers(engine: &mut dyn Engine, lines: &[String]) -> Vec<Option<(usize, Spans)>> {
    let answer = |line: &String| {
        let mut spans = Spans::new();
        let found = engine.captures(line, &mut spans)?;
        spans.retain(Option::is_some);
        spans.sort_unstable();
        Some((found, spans))
    };
    lines.iter().map(answer).collect()
}

/// Prints the rows whose name contains `only` as a Markdown table. Of the engines only those that `wanted` names are
/// tried, if it is given.
pub(crate) fn print(only: Option<&str>, wanted: Option<&str>) {
    println!(
        "| row | bytes | hits | {} | ours to the best other |",
        ENGINES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | ")
    );
    println!("| --- | --- | --- |{} --- |", " --- |".repeat(ENGINES.len()));
    let mut notes = Vec::new();
    for row in rows::all().iter().filter(|row| only.is_none_or(|only| row.name.contains(only))) {
        print_row(row, wanted, &mut notes);
    }
    println!("\nNanoseconds of CPU time a line, median of {ROUNDS} turns.");
    notes.iter().for_each(|note| println!("{note}"));
}

fn print_row(row: &Row, wanted: Option<&str>, notes: &mut Vec<String>) {
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted.split(',').any(|wanted| wanted == name));
    let mut engines: Vec<Option<Box<dyn Engine>>> = ENGINES
        .iter()
        .map(|(name, compile)| if is_wanted(name) { compile(&row.patterns, &row.given) } else { None })
        .collect();
    let found: Vec<_> =
        engines.iter_mut().map(|engine| engine.as_mut().map(|engine| answers(engine.as_mut(), &row.lines))).collect();
    let ours = found[0].clone().unwrap_or_default();
    for ((name, _), found) in ENGINES.iter().zip(&found) {
        let differ = |found: &Vec<_>| found.iter().zip(&ours).filter(|(a, b)| a != b).count();
        match found.as_ref().map(differ) {
            None if !is_wanted(name) => {}
            None => notes.push(format!("{}: {name} does not compile the patterns.", row.name)),
            Some(0) => {}
            Some(lines) => notes.push(format!(
                "{}: {name} finds something else in {lines} of {} lines.",
                row.name,
                row.lines.len()
            )),
        }
    }
    let mut times = vec![Vec::with_capacity(ROUNDS); engines.len()];
    for _ in 0..ROUNDS {
        for (engine, times) in engines.iter_mut().zip(&mut times) {
            times.extend(engine.as_mut().map(|engine| turn(engine.as_mut(), &row.lines)));
        }
    }
    let medians: Vec<Option<f64>> = times
        .iter_mut()
        .map(|times| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied()
        })
        .collect();
    let best = medians[1..].iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let bytes = row.lines.iter().map(String::len).sum::<usize>() / row.lines.len();
    let hits = ours.iter().flatten().count() as f64 * 100.0 / row.lines.len() as f64;
    let cells: Vec<String> =
        medians.iter().map(|time| time.map_or("-".to_owned(), |time| format!("{time:.0}"))).collect();
    let ratio = medians[0].map_or("-".to_owned(), |ours| format!("{:.1}", best / ours));
    println!("| {} | {bytes} | {hits:.0} % | {} | {ratio} |", row.name, cells.join(" | "));
}
