//! The rows: patterns and the lines that they are tried on.

use tailrace_grok::PatternSet;

use super::lines;

/// Patterns and lines.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) patterns: PatternSet,
    pub(crate) given: Vec<String>,
    pub(crate) lines: Vec<String>,
}

const JAVA: &str =
    r"%{TIMESTAMP_ISO8601:time} +%{LOGLEVEL:level} +\[%{DATA:thread}\] %{JAVACLASS:logger} - %{GREEDYDATA:text}";

const NGINX_ERROR: &str = r#"^(?<time>%{YEAR}/%{MONTHNUM}/%{MONTHDAY} %{TIME}) \[%{LOGLEVEL:level}\] %{POSINT:pid}#%{NONNEGINT:tid}: (?:\*%{NONNEGINT:connection} )?%{DATA:text}(?:, client: %{IPORHOST:client})?(?:, server: %{NOTSPACE:server})?(?:, request: "%{WORD:method} %{NOTSPACE:path} HTTP/%{NUMBER:version}")?(?:, upstream: "%{URI:upstream}")?(?:, host: "%{HOSTPORT:host}")?(?:, referrer: "%{URI:referrer}")?$"#;

const POSTFIX: &[&str] = &[
    r"^%{SYSLOGTIMESTAMP:time} %{SYSLOGHOST:host} postfix/smtp\[%{POSINT:pid}\]: %{WORD:queue}: to=<%{DATA:to}>, (?:orig_to=<%{DATA:orig_to}>, )?relay=%{DATA:relay}, delay=%{NUMBER:delay}, delays=%{DATA:delays}, dsn=%{NOTSPACE:dsn}, status=%{WORD:status} \(%{GREEDYDATA:answer}\)$",
    r"^%{SYSLOGTIMESTAMP:time} %{SYSLOGHOST:host} postfix/qmgr\[%{POSINT:pid}\]: %{WORD:queue}: from=<%{DATA:from}>, size=%{NONNEGINT:size}, nrcpt=%{NONNEGINT:recipients} \(%{GREEDYDATA:reason}\)$",
    r"^%{SYSLOGTIMESTAMP:time} %{SYSLOGHOST:host} postfix/cleanup\[%{POSINT:pid}\]: %{WORD:queue}: message-id=<%{GREEDYDATA:message_id}>$",
    r"^%{SYSLOGTIMESTAMP:time} %{SYSLOGHOST:host} postfix/smtpd\[%{POSINT:pid}\]: (?:dis)?connect from %{HOSTNAME:client}\[%{IP:client_ip}\]%{GREEDYDATA:counts}$",
];

const IPV6: &str =
    "%{IPV6:source} -> %{IPV6:destination} via %{IP:router} proto %{WORD:protocol} len %{NONNEGINT:length}";

const LONG: &str = r"^%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{GREEDYDATA:body} took=%{NONNEGINT:millis}$";

/// Twenty of the patterns for messages of Cisco's firewalls.
const CISCO: &[&str] = &[
    "CISCOFW106001",
    "CISCOFW106006_106007_106010",
    "CISCOFW106014",
    "CISCOFW106015",
    "CISCOFW106021",
    "CISCOFW106023",
    "CISCOFW106100",
    "CISCOFW110002",
    "CISCOFW302010",
    "CISCOFW302013_302014_302015_302016",
    "CISCOFW302020_302021",
    "CISCOFW305011",
    "CISCOFW313001_313004_313008",
    "CISCOFW313005",
    "CISCOFW402117",
    "CISCOFW402119",
    "CISCOFW419001",
    "CISCOFW419002",
    "CISCOFW500004",
    "CISCOFW710001_710002_710003_710005_710006",
];

/// What a pipeline for many kinds of logs tries before it comes to the Java lines.
const BEFORE_JAVA: &[&str] = &[
    "HAPROXYHTTP",
    "HAPROXYTCP",
    "NAGIOSLOGLINE",
    "COMBINEDAPACHELOG",
    "HTTPD20_ERRORLOG",
    "HTTPD24_ERRORLOG",
    "CRONLOG",
    "SYSLOGPAMSESSION",
    "SYSLOG5424LINE",
    "S3_ACCESS_LOG",
    "ELB_ACCESS_LOG",
    "CLOUDFRONT_ACCESS_LOG",
    "BACULA_LOGLINE",
    "BIND9",
    "BRO_HTTP",
    "BRO_DNS",
    "BRO_CONN",
    "BRO_FILES",
    "NETSCREENSESSIONLOG",
    "SHOREWALL",
    "SFW2",
    "CISCOFW106001",
    "CISCOFW106014",
    "CISCOFW106023",
    "CISCOFW106100",
    "CISCOFW302013_302014_302015_302016",
    "CISCOFW302020_302021",
    "CISCOFW313005",
    "CISCOFW733100",
    "RT_FLOW1",
    "RT_FLOW2",
    "RT_FLOW3",
    "CISCOFW402117",
    "MONGO_SLOWQUERY",
    "MONGO3_LOG",
    "POSTGRESQL",
    "RAILS3",
    "REDISLOG",
    "REDISMONLOG",
    "RUBY_LOGGER",
    "SQUID3",
    "CATALINALOG",
    "TOMCATLOG",
    "EXIM",
];

fn references(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("%{{{name}}}")).collect()
}

fn row(name: &'static str, given: &[&str], lines: Vec<String>) -> Row {
    Row { name, patterns: PatternSet::legacy(), given: given.iter().map(|&text| text.to_owned()).collect(), lines }
}

/// Fifty patterns: those before, Postfix's, nginx's, and Java's as the last.
fn fifty() -> Vec<String> {
    let mut given = references(BEFORE_JAVA);
    given.extend(POSTFIX.iter().map(|&text| text.to_owned()));
    given.extend([NGINX_ERROR.to_owned(), JAVA.to_owned()]);
    assert_eq!(given.len(), 50);
    given
}

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let access = "%{COMBINEDAPACHELOG}";
    let legacy = PatternSet::legacy;
    vec![
        row("COMBINEDAPACHELOG", &[access], lines::access()),
        Row { patterns: PatternSet::ecs_v1(), ..row("COMBINEDAPACHELOG, ECS", &[access], lines::access()) },
        row("COMBINEDAPACHELOG, miss: other lines", &[access], lines::other()),
        row("COMBINEDAPACHELOG, miss: lines cut short", &[access], lines::cut()),
        row("SYSLOGLINE", &["%{SYSLOGLINE}"], lines::syslog()),
        row("Java", &[JAVA], lines::java()),
        row("nginx error", &[NGINX_ERROR], lines::nginx()),
        row("HAPROXYHTTP", &["%{HAPROXYHTTP}"], lines::haproxy()),
        Row { name: "Cisco ASA, 20 patterns", patterns: legacy(), given: references(CISCO), lines: lines::cisco() },
        row("Postfix, 4 patterns", POSTFIX, lines::postfix()),
        row("IPv6", &[IPV6], lines::ipv6_flows()),
        row("GREEDYDATA, 10 KB", &[LONG], lines::long()),
        row("the last of the fifty alone", &[JAVA], lines::java()),
        Row { name: "50 patterns, the last matches", patterns: legacy(), given: fifty(), lines: lines::java() },
        row("the last of the fifty alone, none", &[JAVA], lines::unknown()),
        Row { name: "50 patterns, none matches", patterns: legacy(), given: fifty(), lines: lines::unknown() },
    ]
}
