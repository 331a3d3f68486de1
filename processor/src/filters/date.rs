//! Filter `date`: reads a field as a moment.

use tailrace_common::datetime::{
    Locale, ParseContext, Pattern, Zone, parse_iso8601, parse_tai64n, parse_unix, parse_unix_millis,
};
use tailrace_common::{Event, FieldPath, Timestamp, Value};

use crate::lang::diagnostic::Diagnostic;
use crate::options::{Diagnosis, Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "date",
    summary: "Reads a field as a moment, most often for @timestamp.",
    example: "filter { date { match => [\"time\", \"dd/MMM/yyyy:HH:mm:ss Z\", \"ISO8601\"] } }",
    build,
};

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let mut given = options.strings("match").into_iter();
    let source = given.next().and_then(|field| options.path("match", &field));
    let formats: Vec<Format> = given.filter_map(|format| Format::parse(&format, &mut options)).collect();
    if !options.is_set("match") || formats.is_empty() {
        options.error_at("match", "'match' takes a field and at least one format");
    }
    let target = options.field("target").unwrap_or_else(|| FieldPath::field("@timestamp"));
    let zone = ZoneOf::read(&mut options, build);
    let locale = locale(&mut options);
    let tags = options.tags("tag_on_failure", "_dateparsefailure");
    options.finish()?;
    Ok(Box::new(Date { source: source.ok_or(Invalid)?, formats, target, zone, locale, tags }))
}

fn locale(options: &mut Options<'_>) -> Locale {
    let Some(tag) = options.string("locale") else { return Locale::default() };
    Locale::parse(&tag).unwrap_or_else(|| {
        let span = options.span_of("locale");
        let message = format!("the names of months and days in '{tag}' are not known; English ones are taken");
        options.report(Diagnostic::warning("unknown-locale", &span, message));
        Locale::default()
    })
}

struct Date {
    source: FieldPath,
    formats: Vec<Format>,
    target: FieldPath,
    zone: ZoneOf,
    locale: Locale,
    tags: Vec<String>,
}

enum Format {
    Iso8601,
    Unix,
    UnixMillis,
    Tai64n,
    Joda(Pattern),
}

/// The zone of dates without one.
enum ZoneOf {
    Fixed(Zone),
    /// `%{...}` in the option: looked up for each event.
    Filled(Template),
}

impl Format {
    fn parse(text: &str, options: &mut Options<'_>) -> Option<Format> {
        Some(match text {
            "ISO8601" => Format::Iso8601,
            "UNIX" => Format::Unix,
            "UNIX_MS" => Format::UnixMillis,
            "TAI64N" => Format::Tai64n,
            pattern => match Pattern::joda(pattern) {
                Ok(pattern) => Format::Joda(pattern),
                Err(error) => {
                    // The error counts characters from 1.
                    let start = pattern.char_indices().nth(error.at - 1).map_or(pattern.len(), |(at, _)| at);
                    let diagnosis = Diagnosis { what: error.message, hint: None };
                    options.error_within("match", pattern, start..start + 1, diagnosis);
                    return None;
                }
            },
        })
    }

    fn of_text(&self, text: &str, context: &ParseContext<'_>) -> Option<Timestamp> {
        match self {
            Format::Iso8601 => parse_iso8601(text, context.zone),
            Format::Unix => parse_unix(text),
            Format::UnixMillis => parse_unix_millis(text),
            Format::Tai64n => parse_tai64n(text),
            Format::Joda(pattern) => pattern.parse_text(text, context).map(Timestamp::truncated_to_millis),
        }
    }

    /// Numbers are epochs, and nothing else.
    fn of_number(&self, number: &Value) -> Option<Timestamp> {
        match self {
            Format::Unix => match number {
                Value::Int(seconds) => parse_unix(itoa::Buffer::new().format(*seconds)),
                _ => parse_unix(&number.as_f64()?.to_string()),
            },
            Format::UnixMillis => match number {
                Value::Int(millis) => parse_unix_millis(itoa::Buffer::new().format(*millis)),
                _ => parse_unix_millis(&format!("{:.0}", number.as_f64()?.trunc())),
            },
            _ => None,
        }
    }
}

impl ZoneOf {
    fn read(options: &mut Options<'_>, build: &BuildContext<'_>) -> ZoneOf {
        let name = options.string("timezone").unwrap_or_else(|| build.timezone.clone());
        if name.contains("%{") {
            return ZoneOf::Filled(Template::parse(&name));
        }
        ZoneOf::Fixed(Zone::named(&name).unwrap_or_else(|error| {
            options.error_at("timezone", error.to_string());
            Zone::Utc
        }))
    }
}

impl Filter for Date {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match event.get(&self.source) {
            None | Some(Value::Null) => return,
            Some(_) => {}
        }
        let moment = self.moment(event, context.now);
        if moment.is_none() && matches!(self.formats.last(), Some(Format::Tai64n)) {
            context.reject(event, "no TAI64N label");
            return;
        }
        let stored = moment.is_some_and(|moment| event.set(&self.target, moment).is_ok());
        if stored {
            context.matched(event);
        } else {
            context.failed(event, &self.tags);
        }
    }
}

impl Date {
    fn moment(&self, event: &Event, now: Timestamp) -> Option<Timestamp> {
        let named;
        let zone = match &self.zone {
            ZoneOf::Fixed(zone) => zone,
            ZoneOf::Filled(template) => {
                named = Zone::named(&template.render(event).ok()?).ok()?;
                &named
            }
        };
        let context = ParseContext { zone, locale: self.locale, now };
        match event.get(&self.source)? {
            Value::String(text) => self.formats.iter().find_map(|format| format.of_text(text, &context)),
            number @ (Value::Int(_) | Value::Float(_) | Value::Decimal(_)) => {
                self.formats.iter().find_map(|format| format.of_number(number))
            }
            _ => None,
        }
    }
}
