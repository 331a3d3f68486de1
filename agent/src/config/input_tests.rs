#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::{Config, ConfigError, Overrides, from_text, load};
use crate::tail::settings::{
    Excess, FileIdentity, Framing, IgnoreInactive, InputKind, ListenAddress, Parser, QuotaScope, QuotaSettings,
    QuotaUnit, ScanSort,
};

fn read(inputs: &str) -> Result<Config, ConfigError> {
    from_text("filebeat.yml", &format!("output.discard: {{}}\nfilebeat.inputs:\n{inputs}"), &Overrides::default())
}

fn errors(inputs: &str) -> String {
    read(inputs).unwrap_err().to_string()
}

#[test]
fn filestream_has_all_options_of_filebeat() {
    let config = read(
        "
- type: filestream
  id: all
  enabled: true
  allow_deprecated_id_duplication: false
  paths: [/a/*.log, '/b/**/*.log']
  prospector.scanner:
    recursive_glob: false
    check_interval: 3s
    exclude_files: ['\\.gz$']
    include_files: ['^/a']
    symlinks: true
    resend_on_touch: true
    fingerprint: {enabled: true, offset: 10, length: 64}
  file_identity.inode_marker.path: /marker
  encoding: gbk
  exclude_lines: ['^DBG']
  include_lines: ['^ERR']
  buffer_size: 4096
  message_max_bytes: 1MiB
  line_terminator: line_feed
  compression: auto
  gzip_experimental: true
  parsers: [{ndjson: {target: ''}}]
  backoff: {init: 1s, max: 2s}
  harvester_limit: 7
  ignore_older: 10m
  ignore_inactive: since_first_start
  seek_to_tail: true
  close.on_state_change: {check_interval: 1s, inactive: 1m, renamed: true, removed: true}
  close.reader: {on_eof: true, after_interval: 1h}
  read_until_eof: {enabled: true, timeout: 5s}
  clean_inactive: 1h
  clean_removed: false
  legacy_clean_inactive: false
  delete: {enabled: true, grace_period: 1m}
  take_over: {enabled: true, from_ids: [x]}
  rotation.external.strategy.copytruncate.suffix_regex: '-\\d+$'
  include_file_owner_name: true
  include_file_owner_group_name: true
  include_file_fingerprint: false
  tags: [t]
  fields: {a: 1}
  fields_under_root: true
  pipeline: p
  index: 'i-%{+yyyy}'
  keep_null: true
  publisher_pipeline.disable_host: true
  processors: [{add_id: ~}]
",
    )
    .unwrap();
    let input = &*config.inputs[0].input;
    assert_eq!((&input.identity, input.fingerprint.enabled), (&FileIdentity::Native, false));
    assert_eq!((input.fingerprint.offset, input.fingerprint.length), (10, 64));
    assert_eq!((input.ignore_inactive, input.harvester_limit), (IgnoreInactive::SinceFirstStart, 7));
    assert_eq!((input.message_max_bytes, input.backoff.max), (1 << 20, Duration::from_secs(2)));
    assert_eq!(input.read_until_eof, Some(Duration::from_secs(5)));
    assert_eq!((input.take_over, input.take_over_from.as_slice()), (true, ["x".to_owned()].as_slice()));
    assert_eq!(input.clean_inactive, Some(Duration::from_secs(3600)));
    assert!(input.delete.enabled && input.close.renamed && input.close.removed && input.seek_to_tail);
    assert!(!config.inputs[0].processors.is_empty());
    assert_eq!(config.inputs[0].tags, ["t", "take_over"]);
    let said: Vec<&str> = config.notices.iter().filter_map(|notice| notice.message.split('\'').nth(1)).collect();
    let wanted = ["buffer_size", "check_interval", "gzip_experimental", "inode_marker", "rotation"];
    assert!(wanted.iter().all(|key| said.iter().any(|said| said.ends_with(key))), "{said:?}");
    assert_eq!(said.len(), wanted.len(), "{said:?}");
}

#[test]
fn the_older_inputs_have_all_options_of_filebeat() {
    let options = "
  paths: [/a]
  recursive_glob.enabled: false
  scan_frequency: 5s
  scan: {sort: modtime, order: desc}
  exclude_files: [x]
  symlinks: false
  tail_files: true
  encoding: utf-8
  exclude_lines: [a]
  include_lines: [b]
  harvester_buffer_size: 8192
  max_bytes: 100
  line_terminator: auto
  json: {message_key: m, keys_under_root: true, overwrite_keys: true, expand_keys: true, add_error_key: true, document_id: id, ignore_decoding_error: true}
  multiline: {type: pattern, pattern: '^x', negate: true, match: after, max_lines: 5, timeout: 1s, flush_pattern: y, skip_newline: true}
  ignore_older: 1h
  close_inactive: 2m
  close_renamed: true
  close_removed: false
  close_eof: true
  close_timeout: 5m
  clean_inactive: 2h
  clean_removed: false
  backoff: 2s
  max_backoff: 20s
  backoff_factor: 3
  harvester_limit: 2
  file_identity.native: ~
  pipeline: p
";
    let config =
        read(&format!("- type: log{options}- type: container{options}  stream: stderr\n  format: cri\n")).unwrap();
    let input = &*config.inputs[1].input;
    assert_eq!((input.kind, input.scan_sort, input.scan_descending), (InputKind::Container, ScanSort::ModTime, true));
    assert!(matches!(input.parsers[..], [Parser::Container(_), Parser::Ndjson(_), Parser::Multiline(_)]));
    assert_eq!(input.close.after_interval, Some(Duration::from_secs(300)));
}

#[test]
fn listening_inputs_have_all_options_of_filebeat() {
    let config = read(
        "
- {type: tcp, host: ':9000', max_message_size: 1MiB, framing: rfc6587, max_connections: 3, timeout: 1m, network: tcp4}
- {type: udp, host: '127.0.0.1:9000', max_message_size: 2KiB, read_buffer: 1MiB, timeout: 5m}
- {type: unix, path: /s, socket_type: datagram, mode: '0660'}
- {type: syslog, format: auto, timezone: '+08:00', protocol.unix: {path: /t, line_delimiter: '<EOM>'}}
- {type: stdin, max_bytes: 10, multiline: {type: count, count_lines: 2}}
",
    )
    .unwrap();
    let listens: Vec<_> = config.inputs.iter().map(|decor| decor.input.listen.clone()).collect();
    let tcp = listens[0].as_ref().unwrap();
    assert_eq!(
        (&tcp.address, &tcp.framing),
        (&ListenAddress::Tcp("127.0.0.1:9000".parse().unwrap()), &Framing::Rfc6587)
    );
    assert_eq!(listens[1].as_ref().unwrap().max_message_size, 2 << 10);
    assert_eq!(listens[2].as_ref().unwrap().mode, Some(0o660));
    assert_eq!(listens[3].as_ref().unwrap().framing, Framing::Delimiter(b"<EOM>".to_vec()));
    assert!(listens[4].is_none());
    for (input, message) in [
        ("- {type: tcp}", "'filebeat.inputs.0.host' is missing"),
        ("- {type: tcp, host: 'nowhere'}", "'nowhere' is no address to listen on"),
        ("- {type: syslog}", "'filebeat.inputs.0.protocol' is missing"),
        (
            "- {type: syslog, protocol: {tcp: {host: ':1'}, udp: {host: ':1'}}}",
            "'protocol' must be one of tcp, udp, unix",
        ),
        ("- {type: unix, path: /s, group: adm}", "'group' is not supported"),
        ("- {type: tcp, host: ':1', ssl.enabled: true}", "'ssl.certificate' and 'ssl.key' are needed"),
    ] {
        assert!(errors(input).contains(message), "{}", errors(input));
    }
}

#[test]
fn what_would_lose_or_repeat_lines_is_refused() {
    for (input, message) in [
        (
            "- {type: filestream, id: a, paths: [/a]}\n- {type: filestream, id: a, paths: [/b]}",
            "4:26: the id 'a' is used by two inputs",
        ),
        ("- {type: log, paths: [/a], clean_inactive: 1h}", "'clean_inactive' needs 'ignore_older'"),
        ("- {type: filestream, paths: [/a], ignore_older: 1m}", "'ignore_older' (60s) must be more than"),
        ("- {type: log, paths: [/a], json.keys_under_root: true, include_lines: [x]}", "'json.message_key' is missing"),
        ("- {type: filestream, paths: [/a], prospector.scanner.fingerprint.length: 10}", "must be 64 or more"),
        ("- {type: filestream, paths: [/a], file_identity: {native: ~, path: ~}}", "must be one kind"),
        ("- {type: filestream, paths: [/a], take_over: true}", "'take_over' needs an 'id'"),
        (
            "- {type: filestream, id: a, paths: [/a], take_over: true, allow_deprecated_id_duplication: true}",
            "cannot both be set",
        ),
        ("- {type: filestream, paths: [/a], quota.limit: 1MiB}", "'1MiB' is no limit"),
        ("- {type: filestream, paths: [/a], quota: {limit: 1/s, burst_multiplier: 0.5}}", "must be 1 or more"),
    ] {
        assert!(errors(input).contains(message), "{input}: {}", errors(input));
    }
}

#[test]
fn places_name_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let first = write("a.yml", "output.console: {}\nfilebeat.inputs:\n- {type: filestream, paths: [/a], tpye: x}\n");
    let second = write("b.yml", "\nnaem: x\nfilebeat.config.inputs.path: c.yml\n");
    write("c.yml", "- type: filestream\n  pahts: [/c]\n");
    let overrides = Overrides {
        settings: vec!["output.console.prety=true".into()],
        config: Some(folder.path().to_owned()),
        ..Overrides::default()
    };
    let error = load(&[first, second], &overrides, &|_| None).unwrap_err().to_string();
    for place in [
        "a.yml:3:35: unknown key 'filebeat.inputs.0.tpye'",
        "b.yml:2:1: unknown key 'naem'",
        "c.yml:2:3: unknown key 'filebeat.inputs.1.pahts'",
        "-E output.console.prety=true:1:1: unknown key 'output.console.prety'",
    ] {
        assert!(error.contains(place), "{place} is not in:\n{error}");
    }
}

#[test]
fn an_input_that_is_not_enabled_may_be_of_any_type() {
    let config = read("- {type: journald, enabled: false, units: [x]}\n- {type: filestream, paths: [/a]}\n").unwrap();
    assert_eq!(config.inputs.len(), 1);
    assert!(errors("- {type: journald}").contains("must be one of"));
}

#[test]
fn ids_may_be_shared_where_it_is_allowed() {
    let input = "- {type: filestream, id: a, paths: [/a], allow_deprecated_id_duplication: true}\n";
    assert_eq!(read(&input.repeat(2)).unwrap().inputs.len(), 2);
}

#[test]
fn quotas_count_lines_or_bytes() {
    let config = read(
        "- {type: filestream, id: a, paths: [/a], quota: {limit: 60000/m, burst_multiplier: 2, per: folder, excess: drop}}\n- {type: log, paths: [/a], quota.limit: 1KiB/s}\n",
    )
    .unwrap();
    let quota = |input: usize| config.inputs[input].input.quota.clone().unwrap();
    let wanted = QuotaSettings {
        rate: 1000.0,
        burst: 120_000.0,
        unit: QuotaUnit::Lines,
        per: QuotaScope::Folder,
        excess: Excess::Drop,
    };
    assert_eq!(quota(0), wanted);
    assert_eq!((quota(1).rate, quota(1).unit, quota(1).excess), (1024.0, QuotaUnit::Bytes, Excess::Delay));
}
