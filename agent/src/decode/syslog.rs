//! The syslog parser: RFC 3164 and RFC 5424.

use tailrace_common::Timestamp;
use tailrace_common::datetime::short_month;
use tailrace_common::syslog::{FACILITIES, SEVERITIES};
use tailrace_common::timestamp::{Date, valid_date};

use crate::pipeline::{Entry, Failure, FailureKind};

/// How syslog lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyslogFormat {
    /// `auto`
    #[default]
    Auto,
    /// `rfc3164`
    Rfc3164,
    /// `rfc5424`
    Rfc5424,
}

/// The time zone of moments that do not name theirs (RFC 3164).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// `Local`: the machine's.
    #[default]
    Local,
    /// A name of the IANA database or an offset such as `+08:00`.
    Named(String),
}

/// `syslog` of filestream's parsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogSettings {
    /// `format`
    pub format: SyslogFormat,
    /// `timezone`
    pub timezone: Zone,
    /// `log_errors`
    pub log_errors: bool,
    /// `add_error_key`
    pub add_error_key: bool,
}

impl Default for SyslogSettings {
    fn default() -> SyslogSettings {
        SyslogSettings { format: SyslogFormat::Auto, timezone: Zone::Local, log_errors: false, add_error_key: true }
    }
}

/// What the parser found in one line: `log.syslog.*`. The entry's message and timestamp are the line's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Syslog {
    /// `priority`; facility is an eighth of it, severity the rest.
    pub priority: Option<u16>,
    /// `hostname`
    pub hostname: Option<String>,
    /// `appname`
    pub appname: Option<String>,
    /// `procid`
    pub procid: Option<String>,
    /// `msgid`
    pub msgid: Option<String>,
    /// `version`, of RFC 5424 only.
    pub version: Option<String>,
    /// `structured_data`: names and values per element.
    pub structured_data: Vec<(String, Vec<(String, String)>)>,
}

impl Syslog {
    /// `facility.code` and `facility.name`; the name is missing beyond RFC 5424's table.
    pub fn facility(&self) -> Option<(u16, Option<&'static str>)> {
        let code = self.priority? / 8;
        Some((code, FACILITIES.get(usize::from(code)).copied()))
    }

    /// `severity.code` and `severity.name`.
    pub fn severity(&self) -> Option<(u16, &'static str)> {
        let code = self.priority? % 8;
        Some((code, SEVERITIES[usize::from(code)]))
    }
}

/// Reads the entry's message as a syslog line: its timestamp and message become the line's.
pub(super) fn decode(settings: &SyslogSettings, entry: &mut Entry, text: &mut Vec<u8>, now: Timestamp) {
    let line = String::from_utf8_lossy(entry.message.of(text)).into_owned();
    match parse(settings, &line, now) {
        Ok((timestamp, syslog, message)) => {
            entry.timestamp = timestamp.unwrap_or(entry.timestamp);
            entry.message = super::pending::push(text, message.as_bytes());
            entry.extra_mut().syslog = Some(Box::new(syslog));
        }
        Err(position) => {
            let message = format!("Error parsing syslog message: parsing error at position {position}: unexpected EOF");
            if settings.log_errors {
                tracing::error!("{message}");
            }
            if settings.add_error_key {
                entry.extra_mut().failure = Some(Failure { kind: FailureKind::Syslog, message });
            }
        }
    }
}

/// Reads a line; the error is the position, counted from 1, of the character that does not fit.
///
/// # Errors
/// When the line has neither form.
pub fn parse(
    settings: &SyslogSettings,
    line: &str,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Syslog, String), usize> {
    let mut cursor = Cursor { line, at: 0 };
    let mut syslog = Syslog { priority: cursor.priority()?, ..Syslog::default() };
    let rest = cursor.rest().as_bytes();
    let new_form = rest.len() > 2 && rest[0].is_ascii_digit() && rest[1] == b' ' && syslog.priority.is_some();
    let is_5424 = match settings.format {
        SyslogFormat::Auto => new_form,
        SyslogFormat::Rfc3164 => false,
        SyslogFormat::Rfc5424 => true,
    };
    let timestamp =
        if is_5424 { cursor.rfc5424(&mut syslog)? } else { Some(cursor.rfc3164(&mut syslog, settings, now)?) };
    Ok((timestamp, syslog, cursor.rest().to_owned()))
}

struct Cursor<'l> {
    line: &'l str,
    at: usize,
}

impl<'l> Cursor<'l> {
    fn rest(&self) -> &'l str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn here<T>(&self) -> Result<T, usize> {
        Err(self.at + 1)
    }

    fn take(&mut self, expected: char) -> Result<(), usize> {
        if !self.rest().starts_with(expected) {
            return self.here();
        }
        self.at += expected.len_utf8();
        Ok(())
    }

    /// The text up to the next blank, which is taken too; `None` for the nil value `-`.
    fn word(&mut self) -> Result<Option<String>, usize> {
        let rest = self.rest();
        let len = rest.find(' ').unwrap_or(rest.len());
        if len == 0 {
            return self.here();
        }
        self.at += len;
        if self.at < self.line.len() {
            self.at += 1;
        }
        Ok(Some(rest[..len].to_owned()).filter(|word| word != "-"))
    }

    fn priority(&mut self) -> Result<Option<u16>, usize> {
        if !self.rest().starts_with('<') {
            return Ok(None);
        }
        self.at += 1;
        let rest = self.rest();
        let len = rest.bytes().take_while(u8::is_ascii_digit).take(3).count();
        let priority = rest[..len].parse().ok().filter(|priority| *priority <= 191);
        self.at += len;
        if priority.is_none() {
            return self.here();
        }
        self.take('>')?;
        Ok(priority)
    }

    fn rfc5424(&mut self, syslog: &mut Syslog) -> Result<Option<Timestamp>, usize> {
        if syslog.priority.is_none() {
            return self.here();
        }
        syslog.version = self.word()?;
        let start = self.at;
        let timestamp = match self.word()? {
            None => None,
            Some(word) => Some(Timestamp::parse_rfc3339(&word).ok_or(start + 1)?),
        };
        syslog.hostname = self.word()?;
        syslog.appname = self.word()?;
        syslog.procid = self.word()?;
        syslog.msgid = self.word()?;
        if self.rest().starts_with('-') {
            self.at += 1;
        } else {
            while self.rest().starts_with('[') {
                let element = self.element()?;
                syslog.structured_data.push(element);
            }
        }
        if self.rest().starts_with(' ') {
            self.at += 1;
        }
        if self.rest().starts_with('\u{feff}') {
            self.at += '\u{feff}'.len_utf8();
        }
        Ok(timestamp)
    }

    /// `[id name="value" ...]`
    fn element(&mut self) -> Result<(String, Vec<(String, String)>), usize> {
        self.take('[')?;
        let id = self.until(&[' ', ']'])?;
        let mut params = Vec::new();
        while self.rest().starts_with(' ') {
            self.at += 1;
            let name = self.until(&['='])?;
            self.take('=')?;
            self.take('"')?;
            params.push((name, self.quoted()?));
        }
        self.take(']')?;
        Ok((id, params))
    }

    fn until(&mut self, ends: &[char]) -> Result<String, usize> {
        let rest = self.rest();
        let len = match rest.find(ends) {
            Some(0) | None => return self.here(),
            Some(len) => len,
        };
        self.at += len;
        Ok(rest[..len].to_owned())
    }

    fn quoted(&mut self) -> Result<String, usize> {
        let mut value = String::new();
        let mut characters = self.rest().char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += index + 1;
                    return Ok(value);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\' | ']'))) => value.push(escaped),
                    Some((_, other)) => value.extend(['\\', other]),
                    None => break,
                },
                other => value.push(other),
            }
        }
        self.at = self.line.len();
        self.here()
    }

    fn rfc3164(&mut self, syslog: &mut Syslog, settings: &SyslogSettings, now: Timestamp) -> Result<Timestamp, usize> {
        let first = self.rest().as_bytes().first().copied();
        let timestamp = if first.is_some_and(|byte| byte.is_ascii_digit()) {
            let start = self.at;
            self.word()?.and_then(|word| Timestamp::parse_rfc3339(&word)).ok_or(start + 1)?
        } else {
            let civil = self.civil(now)?;
            self.take(' ')?;
            in_zone(civil, &settings.timezone)
        };
        syslog.hostname = self.word()?;
        self.tag(syslog);
        Ok(timestamp)
    }

    /// `Nov 23 09:15:00`, in the year that brings it next to now.
    fn civil(&mut self, now: Timestamp) -> Result<Timestamp, usize> {
        let start = self.at;
        for _ in 0..3 {
            if !self.rest().starts_with(|character: char| character.is_ascii_alphabetic()) {
                return self.here();
            }
            self.at += 1;
        }
        let name = &self.line[start..self.at];
        self.take(' ')?;
        if self.rest().starts_with(' ') {
            self.at += 1;
        }
        let day = self.number(1, 2)?;
        self.take(' ')?;
        let hour = self.number(2, 2)?;
        self.take(':')?;
        let minute = self.number(2, 2)?;
        self.take(':')?;
        let second = self.number(2, 2)?;
        let month = short_month(name.as_bytes()).ok_or(start + 1)?;
        let year = now.date().year;
        let date = |year| Date { year, month, day };
        if hour > 23 || minute > 59 || second > 59 || !valid_date(date(year)) && !valid_date(date(year - 1)) {
            return self.here();
        }
        let in_year = |year| Timestamp::from_civil(date(year), hour, minute, second, 0);
        // A line of December that is read in January is last year's.
        let tomorrow = now.secs + 86_400;
        let this = in_year(year);
        Ok(if this.secs > tomorrow || !valid_date(date(year)) { in_year(year - 1) } else { this })
    }

    fn number(&mut self, least: usize, most: usize) -> Result<u32, usize> {
        let rest = self.rest();
        let len = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if len < least {
            self.at += len;
            return self.here();
        }
        self.at += len;
        rest[..len].parse().or_else(|_| self.here())
    }

    /// `sshd[811]: `, where there is one.
    fn tag(&mut self, syslog: &mut Syslog) {
        let rest = self.rest();
        let Some(end) = rest.find([':', '[', ' ']) else { return };
        let (name, behind) = rest.split_at(end);
        if name.is_empty() {
            return;
        }
        let (procid, behind) = match behind.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((procid, behind)) => (Some(procid), behind),
            None => (None, behind),
        };
        let Some(message) = behind.strip_prefix(':') else { return };
        syslog.appname = Some(name.to_owned());
        syslog.procid = procid.map(str::to_owned);
        self.at = self.line.len() - message.strip_prefix(' ').unwrap_or(message).len();
    }
}

/// The moment of a local time in a zone.
fn in_zone(civil: Timestamp, zone: &Zone) -> Timestamp {
    let zone = match zone {
        Zone::Local => jiff::tz::TimeZone::system(),
        Zone::Named(name) => named_zone(name).unwrap_or(jiff::tz::TimeZone::UTC),
    };
    let date = civil.date();
    let second = civil.second_of_day();
    let local = jiff::civil::DateTime::new(
        date.year as i16,
        date.month as i8,
        date.day as i8,
        (second / 3600) as i8,
        (second / 60 % 60) as i8,
        (second % 60) as i8,
        0,
    );
    let moment = local.ok().and_then(|local| zone.to_timestamp(local).ok());
    moment.map_or(civil, |moment| Timestamp { secs: moment.as_second(), nanos: 0 })
}

/// A zone by its name in the IANA database, or an offset such as `+08:00`.
pub fn named_zone(name: &str) -> Option<jiff::tz::TimeZone> {
    let offset = || {
        let sign = if name.starts_with('-') { -1 } else { 1 };
        let digits = name.strip_prefix(['+', '-'])?.replace(':', "");
        let (hours, minutes): (i32, i32) = match digits.len() {
            2 => (digits.parse().ok()?, 0),
            4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
            _ => return None,
        };
        jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().map(jiff::tz::TimeZone::fixed)
    };
    offset().or_else(|| jiff::tz::TimeZone::get(name).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(String, Syslog, String), usize> {
        let settings = SyslogSettings { timezone: Zone::Named("+08:00".into()), ..SyslogSettings::default() };
        let now = Timestamp::parse_rfc3339("2026-11-24T00:00:00Z").unwrap();
        let (timestamp, syslog, message) = parse(&settings, line, now)?;
        let mut text = Vec::new();
        timestamp.unwrap_or(Timestamp::EPOCH).write_iso8601_millis(&mut text);
        Ok((String::from_utf8(text).unwrap(), syslog, message))
    }

    #[test]
    fn rfc3164() {
        let (time, syslog, message) = parsed("<13>Nov 23 09:15:00 node1 sshd[811]: Accepted publickey").unwrap();
        assert_eq!((time.as_str(), message.as_str()), ("2026-11-23T01:15:00.000Z", "Accepted publickey"));
        assert_eq!(syslog.facility(), Some((1, Some("user-level"))));
        assert_eq!(syslog.severity(), Some((5, "Notice")));
        assert_eq!((syslog.appname.as_deref(), syslog.procid.as_deref()), (Some("sshd"), Some("811")));
        let (time, syslog, message) = parsed("Dec  3 09:15:00 node1 no tag here").unwrap();
        assert_eq!((time.as_str(), message.as_str()), ("2025-12-03T01:15:00.000Z", "no tag here"));
        assert_eq!((syslog.priority, syslog.appname), (None, None));
    }

    #[test]
    fn rfc5424() {
        let line = r#"<165>1 2026-11-23T09:15:01.003Z node2 app 77 ID47 [ex@32473 iut="3" src="A\"p]"][x] an event"#;
        let (time, syslog, message) = parsed(line).unwrap();
        assert_eq!((time.as_str(), message.as_str()), ("2026-11-23T09:15:01.003Z", "an event"));
        assert_eq!(syslog.structured_data.len(), 2);
        assert_eq!(syslog.structured_data[0].1[1].1, "A\"p]");
        let (time, syslog, message) = parsed("<0>1 - - - - - -").unwrap();
        assert_eq!((time.as_str(), message.as_str()), ("1970-01-01T00:00:00.000Z", ""));
        assert_eq!(syslog.hostname, None);
    }

    #[test]
    fn the_position_of_an_error_is_filebeats() {
        assert_eq!(parsed("not syslog"), Err(5));
        assert!(parsed("<999>Nov 23 09:15:00 a b").is_err());
        assert!(parsed("").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(line in "(<[0-9]{1,3}>)?(1 )?[A-Za-z0-9 :\\[\\]\"=\\\\é-]{0,60}") {
            drop(parsed(&line));
        }
    }
}
