//! What is measured: one row per filter and way of using it.

/// A configuration and an event that goes through it.
pub(crate) struct Row {
    /// As the figures call it: the filter first.
    pub(crate) name: &'static str,
    /// A configuration; its filter sections run, in the ECS mode `disabled`.
    pub(crate) config: &'static str,
    /// The event, as a JSON object.
    pub(crate) event: &'static str,
}

/// An access line of Apache with referrer and user agent.
const APACHE: &str = r#"{"message":"203.0.113.7 - frank [10/Oct/2024:13:55:36 +0000] \"GET /shop/item/42?ref=start HTTP/1.1\" 200 2326 \"https://www.example.org/shop\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\""}"#;

/// Each is also run as a test of the bench: `cargo test --bench filters`.
pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "aggregate",
        config: r#"filter { aggregate { task_id => "%{task}" timeout => 60 } }"#,
        event: r#"{"task":"4bf92f3577b34da6","message":"step"}"#,
    },
    Row {
        name: "anonymize SHA256",
        config: r#"filter { anonymize { fields => ["user"] algorithm => "SHA256" key => "secret" } }"#,
        event: r#"{"user":"frank","message":"as it is"}"#,
    },
    Row {
        name: "bytes",
        config: r#"filter { bytes { source => "size" target => "bytes" } }"#,
        event: r#"{"size":"5.3 GB","message":"as it is"}"#,
    },
    Row {
        name: "cidr of 8 networks",
        config: r#"filter { cidr { address => ["%{ip}"] network => ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1"] add_tag => ["internal"] } }"#,
        event: r#"{"ip":"192.168.17.4","message":"as it is"}"#,
    },
    Row {
        name: "cipher AES-256-CBC",
        config: r#"filter { cipher { algorithm => "aes-256-cbc" mode => "encrypt" key => "secret" key_size => 32 iv_random_length => 16 } }"#,
        event: r#"{"message":"added item 42 to the cart of frank"}"#,
    },
    Row {
        name: "clone",
        config: r#"filter { clone { clones => ["audit"] } }"#,
        event: r#"{"level":"info","host":"web-1","message":"as it is"}"#,
    },
    Row {
        name: "csv of 10 columns",
        config: r#"filter { csv { columns => ["time", "host", "user", "verb", "path", "status", "bytes", "took", "referrer", "agent"] } }"#,
        event: r#"{"message":"2024-10-10T13:55:36Z,web-1,frank,GET,/shop/item/42,200,2326,12,\"https://www.example.org/shop\",\"Mozilla/5.0 (X11; Linux x86_64)\""}"#,
    },
    Row {
        name: "date ISO8601",
        config: r#"filter { date { match => ["time", "ISO8601"] } }"#,
        event: r#"{"time":"2024-10-10T13:55:36.123Z"}"#,
    },
    Row {
        name: "date dd/MMM/yyyy:HH:mm:ss Z",
        config: r#"filter { date { match => ["time", "dd/MMM/yyyy:HH:mm:ss Z"] } }"#,
        event: r#"{"time":"10/Oct/2024:13:55:36 +0000"}"#,
    },
    Row {
        name: "date MMM d HH:mm:ss",
        config: r#"filter { date { match => ["time", "MMM  d HH:mm:ss", "MMM dd HH:mm:ss"] timezone => "Europe/Berlin" } }"#,
        event: r#"{"time":"Oct 10 13:55:36"}"#,
    },
    Row {
        name: "de_dot",
        config: r#"filter { de_dot { nested => true } }"#,
        event: r#"{"kubernetes.pod.name":"cart-7f9c","level":"info","message":"as it is"}"#,
    },
    Row {
        name: "dissect Apache",
        config: r#"filter { dissect { mapping => { "message" => '%{client} %{ident} %{user} [%{time}] "%{verb} %{path} HTTP/%{version}" %{status} %{bytes} "%{referrer}" "%{agent}"' } } }"#,
        event: APACHE,
    },
    Row {
        name: "drop in a branch",
        config: r#"filter { if [level] == "debug" { drop { } } }"#,
        event: r#"{"level":"info","message":"started"}"#,
    },
    Row {
        name: "elapsed",
        config: r#"filter { elapsed { start_tag => "started" end_tag => "ended" unique_id_field => "task" } }"#,
        event: r#"{"task":"4bf92f3577b34da6","tags":["started"]}"#,
    },
    Row {
        name: "extractnumbers",
        config: r#"filter { extractnumbers { } }"#,
        event: r#"{"message":"took 412 of 1000 ms for 3.5 items"}"#,
    },
    Row {
        name: "fingerprint SHA256",
        config: r#"filter { fingerprint { source => ["host", "message"] concatenate_sources => true method => "SHA256" } }"#,
        event: r#"{"host":"web-1","message":"added item 42 to the cart"}"#,
    },
    Row {
        name: "fingerprint MURMUR3_128",
        config: r#"filter { fingerprint { source => "message" method => "MURMUR3_128" } }"#,
        event: r#"{"host":"web-1","message":"added item 42 to the cart"}"#,
    },
    Row {
        name: "grok Apache",
        config: r#"filter { grok { match => { "message" => "%{COMBINEDAPACHELOG}" } } }"#,
        event: APACHE,
    },
    Row {
        name: "json 190 B",
        config: r#"filter { json { source => "message" } }"#,
        event: r#"{"message":"{\"level\":\"info\",\"logger\":\"shop.cart\",\"thread\":\"http-nio-8080-exec-3\",\"user_id\":48213,\"took_ms\":12.5,\"cached\":false,\"text\":\"added item 42 to the cart\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}"}"#,
    },
    Row {
        name: "json_encode",
        config: r#"filter { json_encode { source => "labels" target => "text" } }"#,
        event: r#"{"labels":{"app":"cart","tier":"backend","replicas":3}}"#,
    },
    Row {
        name: "kv of 10 pairs",
        config: r#"filter { kv { } }"#,
        event: r#"{"message":"date=2024-03-15 time=08:30:45 devname=\"FGT 60\" logid=0000000013 type=traffic srcip=10.0.0.1 srcport=54321 action=accept policyid=7 service=HTTPS"}"#,
    },
    Row {
        name: "kv of 10 pairs, patterns",
        config: r#"filter { kv { field_split_pattern => ";+" value_split_pattern => ":=" } }"#,
        event: r#"{"message":"date:=2024-03-15;time:=08:30:45;devname:=FGT-60;logid:=0000000013;type:=traffic;srcip:=10.0.0.1;srcport:=54321;action:=accept;policyid:=7;service:=HTTPS"}"#,
    },
    Row {
        name: "metrics meter",
        config: r#"filter { metrics { meter => ["http_%{status}"] } }"#,
        event: r#"{"status":200,"message":"as it is"}"#,
    },
    Row {
        name: "mutate chain of ten",
        config: r#"filter {
            mutate { rename => { "host" => "[host][name]" } }
            mutate { add_field => { "env" => "production" } }
            mutate { lowercase => ["level"] }
            mutate { strip => ["text"] }
            mutate { convert => { "took" => "integer" } }
            mutate { replace => { "type" => "access" } }
            mutate { copy => { "user" => "[user][name]" } }
            mutate { add_tag => ["seen"] }
            mutate { update => { "path" => "/%{service}" } }
            mutate { remove_field => ["tmp"] }
        }"#,
        event: r#"{"host":"web-1","level":"WARN","text":" slow answer ","took":"412","user_name":"frank","path":"/","service":"shop","tmp":"x","type":"log"}"#,
    },
    Row {
        name: "mutate gsub",
        config: r#"filter { mutate { gsub => ["path", "/\d+", "/N"] } }"#,
        event: r#"{"path":"/shop/category/17/item/42/reviews"}"#,
    },
    Row { name: "nothing", config: "filter { }", event: r#"{"message":"as it is"}"# },
    Row {
        name: "prune",
        config: r#"filter { prune { whitelist_names => ["^@timestamp$", "^message$", "^level$"] } }"#,
        event: r#"{"level":"info","host":"web-1","user":"frank","took":412,"message":"as it is"}"#,
    },
    Row {
        name: "range",
        config: r#"filter { range { ranges => ["took", 0, 100, "tag:fast", "took", 101, 100000, "tag:slow"] } }"#,
        event: r#"{"took":412,"message":"as it is"}"#,
    },
    Row {
        name: "split of 4 lines",
        config: r#"filter { split { } }"#,
        event: r#"{"host":"web-1","message":"one\ntwo\nthree\nfour"}"#,
    },
    Row {
        name: "syslog_pri",
        config: r#"filter { syslog_pri { } }"#,
        event: r#"{"syslog_pri":"165","message":"as it is"}"#,
    },
    Row {
        name: "throttle",
        config: r#"filter { throttle { key => "%{host}%{message}" after_count => 1000000000 } }"#,
        event: r#"{"host":"web-1","message":"as it is"}"#,
    },
    Row {
        name: "tld",
        config: r#"filter { tld { source => "host" } }"#,
        event: r#"{"host":"www.shop.example.co.uk"}"#,
    },
    Row {
        name: "translate",
        config: r#"filter { translate { source => "status" target => "phrase" dictionary => { "200" => "OK" "301" => "Moved Permanently" "404" => "Not Found" "500" => "Internal Server Error" } } }"#,
        event: r#"{"status":"404","message":"as it is"}"#,
    },
    Row {
        name: "truncate",
        config: r#"filter { truncate { fields => ["message"] length_bytes => 20 } }"#,
        event: r#"{"message":"added item 42 to the cart of frank"}"#,
    },
    Row {
        name: "urldecode",
        config: r#"filter { urldecode { field => "query" } }"#,
        event: r#"{"query":"q=caf%C3%A9%20au%20lait&page=2"}"#,
    },
    Row {
        name: "useragent, known",
        config: r#"filter { useragent { source => "agent" target => "user_agent" } }"#,
        event: r#"{"agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36"}"#,
    },
    Row {
        name: "useragent, known, ECS",
        config: r#"filter { useragent { source => "agent" ecs_compatibility => v8 } }"#,
        event: r#"{"agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36"}"#,
    },
    Row { name: "uuid", config: r#"filter { uuid { target => "id" } }"#, event: r#"{"message":"as it is"}"# },
    Row {
        name: "xml",
        config: r#"filter { xml { source => "message" target => "doc" } }"#,
        event: r#"{"message":"<order id='42'><user>frank</user><item sku='a1'>2</item><item sku='b2'>1</item><total>12.50</total></order>"}"#,
    },
    Row {
        name: "xml, XPath",
        config: r#"filter { xml { source => "message" store_xml => false xpath => { "/order/@id" => "id" "/order/item/@sku" => "skus" } } }"#,
        event: r#"{"message":"<order id='42'><user>frank</user><item sku='a1'>2</item><item sku='b2'>1</item><total>12.50</total></order>"}"#,
    },
];
