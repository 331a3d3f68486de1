//! `add_locale`: the machine's time zone in `event.timezone`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tailrace_common::Event;

use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct AddLocale {
    zone: TimeZone,
    target: Field,
    abbreviation: bool,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let abbreviation = section.choice("format", &[("offset", false), ("abbreviation", true)], false);
    Some(Arc::new(AddLocale { zone: TimeZone::system(), target: Field::new("event.timezone"), abbreviation }))
}

impl AddLocale {
    fn text(&self, seconds: i64) -> String {
        let moment = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let info = self.zone.to_offset_info(moment);
        if self.abbreviation {
            return info.abbreviation().to_owned();
        }
        let offset = info.offset().seconds();
        let (sign, size) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
        format!("{sign}{:02}:{:02}", size / 3600, size / 60 % 60)
    }
}

impl Processor for AddLocale {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let moment = event.timestamp().map_or(0, |moment| moment.secs);
        self.target.put(event, self.text(moment)).map(|()| Verdict::Keep)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_that_of_the_moment() {
        let mut locale = AddLocale {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            target: Field::new("event.timezone"),
            abbreviation: false,
        };
        assert_eq!((locale.text(1_700_000_000), locale.text(1_720_000_000)), ("+01:00".into(), "+02:00".into()));
        locale.abbreviation = true;
        assert_eq!(locale.text(1_720_000_000), "CEST");
    }
}
