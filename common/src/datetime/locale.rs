//! Names of months and days, in the forms of the Java runtime.

use std::sync::OnceLock;

/// A language for the names of months, days and halves of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Locale {
    /// English.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Italian.
    Italian,
    /// Portuguese.
    Portuguese,
    /// Russian.
    Russian,
    /// Chinese.
    Chinese,
    /// Japanese.
    Japanese,
}

/// The names of one language. Months and days start with January and Monday; entries hold several forms, split by `|`,
/// the long one first.
pub(super) struct Names {
    pub(super) months: [&'static str; 12],
    pub(super) days: [&'static str; 7],
    /// Before noon and after it.
    pub(super) halves: [&'static str; 2],
}

impl Locale {
    /// By a tag such as `de`, `de-DE`, `de_DE`; nothing for languages that are not known.
    pub fn parse(tag: &str) -> Option<Locale> {
        let language = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        Some(match language.as_str() {
            "en" | "" | "root" => Locale::English,
            "de" => Locale::German,
            "fr" => Locale::French,
            "es" => Locale::Spanish,
            "it" => Locale::Italian,
            "pt" => Locale::Portuguese,
            "ru" => Locale::Russian,
            "zh" => Locale::Chinese,
            "ja" => Locale::Japanese,
            _ => return None,
        })
    }

    pub(super) fn names(self) -> &'static Names {
        match self {
            Locale::English => &ENGLISH,
            Locale::German => &GERMAN,
            Locale::French => &FRENCH,
            Locale::Spanish => &SPANISH,
            Locale::Italian => &ITALIAN,
            Locale::Portuguese => &PORTUGUESE,
            Locale::Russian => &RUSSIAN,
            Locale::Chinese => &CHINESE,
            Locale::Japanese => &JAPANESE,
        }
    }
}

const ENGLISH: Names = Names {
    months: [
        "January|Jan",
        "February|Feb",
        "March|Mar",
        "April|Apr",
        "May",
        "June|Jun",
        "July|Jul",
        "August|Aug",
        "September|Sep",
        "October|Oct",
        "November|Nov",
        "December|Dec",
    ],
    days: ["Monday|Mon", "Tuesday|Tue", "Wednesday|Wed", "Thursday|Thu", "Friday|Fri", "Saturday|Sat", "Sunday|Sun"],
    halves: ["AM", "PM"],
};

const GERMAN: Names = Names {
    months: [
        "Januar|Jan.|Jan|Jänner",
        "Februar|Feb.|Feb",
        "März|Mär|Mrz",
        "April|Apr.|Apr",
        "Mai",
        "Juni|Jun",
        "Juli|Jul",
        "August|Aug.|Aug",
        "September|Sept.|Sep",
        "Oktober|Okt.|Okt",
        "November|Nov.|Nov",
        "Dezember|Dez.|Dez",
    ],
    days: [
        "Montag|Mo.|Mo",
        "Dienstag|Di.|Di",
        "Mittwoch|Mi.|Mi",
        "Donnerstag|Do.|Do",
        "Freitag|Fr.|Fr",
        "Samstag|Sa.|Sa",
        "Sonntag|So.|So",
    ],
    halves: ["AM|vorm.", "PM|nachm."],
};

const FRENCH: Names = Names {
    months: [
        "janvier|janv.",
        "février|févr.",
        "mars",
        "avril|avr.",
        "mai",
        "juin",
        "juillet|juil.",
        "août",
        "septembre|sept.",
        "octobre|oct.",
        "novembre|nov.",
        "décembre|déc.",
    ],
    days: ["lundi|lun.", "mardi|mar.", "mercredi|mer.", "jeudi|jeu.", "vendredi|ven.", "samedi|sam.", "dimanche|dim."],
    halves: ["AM", "PM"],
};

const SPANISH: Names = Names {
    months: [
        "enero|ene.|ene",
        "febrero|feb.|feb",
        "marzo|mar.|mar",
        "abril|abr.|abr",
        "mayo|may.|may",
        "junio|jun.|jun",
        "julio|jul.|jul",
        "agosto|ago.|ago",
        "septiembre|sept.|sep",
        "octubre|oct.|oct",
        "noviembre|nov.|nov",
        "diciembre|dic.|dic",
    ],
    days: [
        "lunes|lun.|lun",
        "martes|mar.|mar",
        "miércoles|mié.|mié",
        "jueves|jue.|jue",
        "viernes|vie.|vie",
        "sábado|sáb.|sáb",
        "domingo|dom.|dom",
    ],
    halves: ["a. m.|AM", "p. m.|PM"],
};

const ITALIAN: Names = Names {
    months: [
        "gennaio|gen",
        "febbraio|feb",
        "marzo|mar",
        "aprile|apr",
        "maggio|mag",
        "giugno|giu",
        "luglio|lug",
        "agosto|ago",
        "settembre|set",
        "ottobre|ott",
        "novembre|nov",
        "dicembre|dic",
    ],
    days: ["lunedì|lun", "martedì|mar", "mercoledì|mer", "giovedì|gio", "venerdì|ven", "sabato|sab", "domenica|dom"],
    halves: ["AM|m.", "PM|p."],
};

const PORTUGUESE: Names = Names {
    months: [
        "janeiro|jan.|jan",
        "fevereiro|fev.|fev",
        "março|mar.|mar",
        "abril|abr.|abr",
        "maio|mai.|mai",
        "junho|jun.|jun",
        "julho|jul.|jul",
        "agosto|ago.|ago",
        "setembro|set.|set",
        "outubro|out.|out",
        "novembro|nov.|nov",
        "dezembro|dez.|dez",
    ],
    days: [
        "segunda-feira|seg.|seg",
        "terça-feira|ter.|ter",
        "quarta-feira|qua.|qua",
        "quinta-feira|qui.|qui",
        "sexta-feira|sex.|sex",
        "sábado|sáb.|sáb",
        "domingo|dom.|dom",
    ],
    halves: ["AM", "PM"],
};

const RUSSIAN: Names = Names {
    months: [
        "января|янв.|январь|янв",
        "февраля|февр.|февраль|фев",
        "марта|мар.|март|мар",
        "апреля|апр.|апрель|апр",
        "мая|май",
        "июня|июн.|июнь|июн",
        "июля|июл.|июль|июл",
        "августа|авг.|август|авг",
        "сентября|сент.|сентябрь|сен",
        "октября|окт.|октябрь|окт",
        "ноября|нояб.|ноябрь|ноя",
        "декабря|дек.|декабрь|дек",
    ],
    days: ["понедельник|пн", "вторник|вт", "среда|ср", "четверг|чт", "пятница|пт", "суббота|сб", "воскресенье|вс"],
    halves: ["AM", "PM"],
};

const CHINESE: Names = Names {
    months: [
        "一月|1月",
        "二月|2月",
        "三月|3月",
        "四月|4月",
        "五月|5月",
        "六月|6月",
        "七月|7月",
        "八月|8月",
        "九月|9月",
        "十月|10月",
        "十一月|11月",
        "十二月|12月",
    ],
    days: ["星期一|周一", "星期二|周二", "星期三|周三", "星期四|周四", "星期五|周五", "星期六|周六", "星期日|周日"],
    halves: ["上午", "下午"],
};

const JAPANESE: Names = Names {
    months: ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"],
    days: ["月曜日|月", "火曜日|火", "水曜日|水", "木曜日|木", "金曜日|金", "土曜日|土", "日曜日|日"],
    halves: ["午前", "午後"],
};

/// One form of a name.
struct Form {
    text: &'static str,
    /// Which entry it is a form of.
    at: usize,
    /// Its first letter in lower case, where it is an ASCII letter: most forms are told apart by it.
    first: Option<u8>,
}

/// The forms of all entries, longer ones first.
fn forms(entries: &[&'static str]) -> Vec<Form> {
    let split = entries.iter().enumerate().flat_map(|(at, entry)| entry.split('|').map(move |text| (at, text)));
    let form = |(at, text): (usize, &'static str)| Form { text, at, first: first_letter(text) };
    let mut forms: Vec<Form> = split.map(form).collect();
    forms.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
    forms
}

fn first_letter(text: &str) -> Option<u8> {
    text.bytes().next().filter(u8::is_ascii).map(|letter| letter.to_ascii_lowercase())
}

/// Tables for every language, made when they are first asked for.
type Tables = [OnceLock<Vec<Form>>; 9];

impl Locale {
    /// Which month, from 0, the text starts with; and the bytes taken.
    pub(super) fn month(self, text: &str) -> Option<(usize, usize)> {
        static MONTHS: Tables = [const { OnceLock::new() }; 9];
        longest(MONTHS[self as usize].get_or_init(|| forms(&self.names().months)), text)
    }

    /// Which day of the week, from 0 for Monday, the text starts with; and the bytes taken.
    pub(super) fn weekday(self, text: &str) -> Option<(usize, usize)> {
        static DAYS: Tables = [const { OnceLock::new() }; 9];
        longest(DAYS[self as usize].get_or_init(|| forms(&self.names().days)), text)
    }
}

/// The months as logs of all kinds abbreviate them.
pub const SHORT_MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The month, from 1, that is one of [`SHORT_MONTHS`] in letters of either case. Dates are read by it more often than
/// anything else, so the table is not gone through.
pub fn short_month(text: &[u8]) -> Option<u32> {
    let [first, second, third] = text else { return None };
    match &[*first | 0x20, *second | 0x20, *third | 0x20] {
        b"jan" => Some(1),
        b"feb" => Some(2),
        b"mar" => Some(3),
        b"apr" => Some(4),
        b"may" => Some(5),
        b"jun" => Some(6),
        b"jul" => Some(7),
        b"aug" => Some(8),
        b"sep" => Some(9),
        b"oct" => Some(10),
        b"nov" => Some(11),
        b"dec" => Some(12),
        _ => None,
    }
}

fn longest(forms: &[Form], text: &str) -> Option<(usize, usize)> {
    let first = first_letter(text);
    let mut near = forms.iter().filter(|form| form.first == first || form.first.is_none() || first.is_none());
    near.find_map(|form| Some((form.at, starts_with_ignoring_case(text, form.text)?)))
}

/// Which entry the text starts with, letters of either case, the longest form counting; and the bytes taken.
pub(super) fn match_name(entries: &[&str], text: &str) -> Option<(usize, usize)> {
    let forms = entries.iter().enumerate().flat_map(|(at, entry)| entry.split('|').map(move |form| (at, form)));
    let found = forms.filter_map(|(at, form)| Some((at, starts_with_ignoring_case(text, form)?)));
    found.max_by_key(|(_, length)| *length)
}

/// The length of `prefix` in `text`, when the text starts with it in letters of either case.
pub(super) fn starts_with_ignoring_case(text: &str, prefix: &str) -> Option<usize> {
    if let Some(start) = text.as_bytes().get(..prefix.len())
        && prefix.is_ascii()
    {
        return start.eq_ignore_ascii_case(prefix.as_bytes()).then_some(prefix.len());
    }
    let mut letters = text.char_indices();
    for wanted in prefix.chars() {
        let (_, letter) = letters.next()?;
        if letter != wanted && !letter.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    Some(letters.next().map_or(text.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_months_are_read_in_either_case() {
        for (month, name) in (1..).zip(SHORT_MONTHS) {
            for text in [name.to_string(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(short_month(text.as_bytes()), Some(month));
            }
            assert_eq!(Locale::English.month(name), Some((month as usize - 1, 3)));
        }
        assert_eq!((short_month(b"Ja"), short_month(b"Janu"), short_month(b"J@n")), (None, None, None));
    }
}
