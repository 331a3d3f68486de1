//! Log lines of many kinds, made up.

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

pub(crate) const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "curl/8.4.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
];
pub(crate) const PATHS: &[&str] =
    &["/index.html", "/api/v1/orders", "/static/js/app", "/images/logo.png", "/search", "/cart/add", "/"];
pub(crate) const MONTHS: &[&str] =
    &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(crate) fn ip(r: &mut Random) -> String {
    format!("{}.{}.{}.{}", 1 + r.below(254), r.below(256), r.below(256), r.below(256))
}

pub(crate) fn apache(r: &mut Random) -> String {
    let host = match r.below(20) {
        0 => format!("host-{}.example.com", r.below(1000)),
        1 => format!("2001:db8::{:x}:{:x}", r.below(65536), r.below(65536)),
        _ => ip(r),
    };
    let user = r.pick(&["-", "-", "-", "frank", "alice.b", "u@example.com"]);
    let query = if r.below(2) == 0 {
        format!("?id={}&session={:x}&lang=en", r.below(100_000), r.next())
    } else {
        String::new()
    };
    let referrer = match r.below(3) {
        0 => "-".to_owned(),
        _ => format!("https://www.example.com{}?ref={}", r.pick(PATHS), r.below(10_000)),
    };
    let bytes = if r.below(10) == 0 { "-".to_owned() } else { r.below(200_000).to_string() };
    format!(
        "{host} - {user} [{:02}/{}/2024:{:02}:{:02}:{:02} +0{}00] \"{} {}{query} HTTP/1.{}\" {} {bytes} \"{referrer}\" \"{}\"",
        1 + r.below(28),
        r.pick(MONTHS),
        r.below(24),
        r.below(60),
        r.below(60),
        r.below(10),
        r.pick(&["GET", "GET", "GET", "POST", "PUT", "HEAD"]),
        r.pick(PATHS),
        r.below(2),
        r.pick(&["200", "200", "200", "304", "404", "500", "302"]),
        r.pick(AGENTS),
    )
}

pub(crate) fn syslog(r: &mut Random) -> String {
    format!(
        "{} {:2} {:02}:{:02}:{:02} web{:02} {}[{}]: {} for user{} from {} port {}",
        r.pick(MONTHS),
        1 + r.below(28),
        r.below(24),
        r.below(60),
        r.below(60),
        r.below(40),
        r.pick(&["sshd", "CRON", "systemd", "postfix/smtpd", "kernel"]),
        r.below(65536),
        r.pick(&["Accepted publickey", "Failed password", "session opened"]),
        r.below(500),
        ip(r),
        1024 + r.below(60_000),
    )
}

pub(crate) fn java(r: &mut Random) -> String {
    format!(
        "2024-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {} [http-nio-8080-exec-{}] com.example.{}.{} - request {} took {} ms for customer {}",
        1 + r.below(12),
        1 + r.below(28),
        r.below(24),
        r.below(60),
        r.below(60),
        r.below(1000),
        r.pick(&["INFO", "INFO", "DEBUG", "WARN", "ERROR"]),
        r.below(200),
        r.pick(&["orders", "billing", "shop.web"]),
        r.pick(&["OrderService", "InvoiceController", "CartRepository"]),
        r.next(),
        r.below(5000),
        r.below(100_000),
    )
}

pub(crate) fn nginx(r: &mut Random) -> String {
    format!(
        "2024/{:02}/{:02} {:02}:{:02}:{:02} [{}] {}#{}: *{} open() \"/usr/share/nginx/html{}\" failed (2: No such file or directory), client: {}, server: example.com, request: \"GET {} HTTP/1.1\", host: \"example.com\"",
        1 + r.below(12),
        1 + r.below(28),
        r.below(24),
        r.below(60),
        r.below(60),
        r.pick(&["error", "warn", "crit"]),
        r.below(32768),
        r.below(100),
        r.below(1_000_000),
        r.pick(PATHS),
        ip(r),
        r.pick(PATHS),
    )
}

pub(crate) fn haproxy(r: &mut Random) -> String {
    format!(
        "{} {:2} {:02}:{:02}:{:02} lb1 haproxy[{}]: {}:{} [{:02}/{}/2024:{:02}:{:02}:{:02}.{:03}] http-in~ app/srv{} {}/0/{}/{}/{} {} {} - - ---- {}/{}/0/0/0 0/0 \"GET {} HTTP/1.1\"",
        r.pick(MONTHS),
        1 + r.below(28),
        r.below(24),
        r.below(60),
        r.below(60),
        r.below(32768),
        ip(r),
        1024 + r.below(60_000),
        1 + r.below(28),
        r.pick(MONTHS),
        r.below(24),
        r.below(60),
        r.below(60),
        r.below(1000),
        r.below(10),
        r.below(10),
        r.below(10),
        r.below(1000),
        r.below(1000),
        r.pick(&["200", "404", "503"]),
        r.below(100_000),
        r.below(1000),
        r.below(1000),
        r.pick(PATHS),
    )
}

pub(crate) fn ipv6(r: &mut Random) -> String {
    let full = |r: &mut Random| (0..8).map(|_| format!("{:x}", r.below(65536))).collect::<Vec<_>>().join(":");
    let short = |r: &mut Random| format!("2001:db8:{:x}::{:x}", r.below(65536), r.below(65536));
    let a = if r.below(2) == 0 { full(r) } else { short(r) };
    let b = if r.below(3) == 0 { full(r) } else { short(r) };
    format!("{a} -> {b} proto {} len {}", r.pick(&["tcp", "udp", "icmp6"]), r.below(1500))
}

pub(crate) fn long(r: &mut Random) -> String {
    let mut text = format!("ERROR {} ", r.below(1000));
    while text.len() < 10_000 {
        text.push_str(r.pick(&["alpha ", "beta ", "gamma=1 ", "delta: ", "epsilon, "]));
    }
    text
}

pub(crate) fn lines(make: fn(&mut Random) -> String) -> Vec<String> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    (0..2000).map(|_| make(&mut random)).collect()
}

pub(crate) fn damaged(r: &mut Random) -> String {
    let line = apache(r);
    match r.below(3) {
        0 => line.replacen('[', "(", 1),
        1 => line.rsplit_once(" \"").map_or(line.clone(), |(head, _)| head.to_owned()),
        _ => syslog(r),
    }
}

/// Access log lines without the quote at their end: a match fails there.
pub(crate) fn cut(r: &mut Random) -> String {
    apache(r).trim_end_matches('"').to_owned()
}

/// 4 KB of words somewhere in a line.
fn spoilt(line: &str, r: &mut Random) -> String {
    let at = r.below(line.len() as u64) as usize;
    format!("{}{}{}", &line[..at], "a.1-b:2 ".repeat(500), &line[at..])
}

pub(crate) fn apache_spoilt(r: &mut Random) -> String {
    spoilt(&apache(r), r)
}

pub(crate) fn syslog_spoilt(r: &mut Random) -> String {
    spoilt(&syslog(r), r)
}

pub(crate) fn java_spoilt(r: &mut Random) -> String {
    spoilt(&java(r), r)
}

pub(crate) fn nginx_spoilt(r: &mut Random) -> String {
    spoilt(&nginx(r), r)
}

pub(crate) fn haproxy_spoilt(r: &mut Random) -> String {
    spoilt(&haproxy(r), r)
}
