//! The filter `csv`.
//!
//! The first two lines are the separator and the quote, the rest is the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_fuzz_processor::{quoted, run_filters};

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\n');
    let (separator, quote) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let message = parts.next().unwrap_or_default();
    if let (Some(separator), Some(quote)) = (quoted(separator), quoted(quote)) {
        let convert = "convert => { c1 => integer c2 => float c3 => boolean c4 => date c5 => date_time }";
        let columns = "columns => [c1, c2, c3, c4, c5]";
        run_filters(&format!("csv {{ separator => {separator} quote_char => {quote} {columns} {convert} }}"), message);
        run_filters(&format!("csv {{ separator => {separator} autodetect_column_names => true }}"), message);
    }
});
