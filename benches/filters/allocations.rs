//! Allocations per event of each filter, and of a document on its way through:
//!
//! ```sh
//! cargo bench -p tailrace-processor --no-default-features --bench allocations
//! ```
#![allow(clippy::unwrap_used)]

mod documents;
mod plan;
mod rows;

use tailrace_common::Clock;
use tailrace_processor::plan::run::Worker;

use plan::{BATCH, compile, read_event};
use rows::ROWS;

fn main() {
    let now = Clock::System.now();
    for row in ROWS {
        let plan = compile(row.name, row.config);
        let batch = || (0..BATCH).map(|_| read_event(&row.event.into(), now)).collect::<Vec<_>>();
        let mut worker = Worker::default();
        // Once before, so that the worker is warm.
        drop(plan.run(batch(), &mut worker, now));
        let events = batch();
        let mut filtered = None;
        let counted = allocation_counter::measure(|| filtered = Some(plan.run(events, &mut worker, now)));
        println!("{}: {:.2} allocations per event", row.name, counted.count_total as f64 / BATCH as f64);
    }
    let mut out = Vec::with_capacity(4096);
    let length = documents::ACCESS.len();
    let text = documents::ACCESS.into();
    let counted = allocation_counter::measure(|| read_event(&text, now).write_json(&mut out));
    println!("pass-through of {length} B: {} allocations per event", counted.count_total);
}
