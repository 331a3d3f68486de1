//! Configurations as large as the largest that people run: long chains of branches full of mutates, groks and dates.

/// A filter section of about so many lines.
pub(crate) fn large(lines: usize) -> String {
    let mut text = String::from("filter {\n");
    let mut written = 1;
    while written < lines {
        text.push_str(&format!(
            "
  # fields of log {written}
  if [log_source] == \"source{written}\" and \"_grokparsefailure\" not in [tags] {{
    dissect {{ id => \"d{written}\" mapping => {{ \"[message]\" => \"%{{[cols][a]}} %{{[cols][b]}} %{{[cols][c]}} %{{[cols][rest]}}\" }} }}
    if [cols][a] =~ /^(tcp|udp)\\d*$/ {{
      mutate {{ id => \"m{written}\"
               rename => {{ \"[cols][a]\" => \"[network][transport]\" }}
               rename => {{ \"[cols][b]\" => \"[source][ip]\" }}
               add_field => {{ \"[event][dataset]\" => \"source.%{{[cols][c]}}\" }} }}
    }} else {{
      mutate {{ id => \"n{written}\" merge => {{ \"[event][category]\" => \"[cols][c]\" }} remove_field => [ \"[cols]\" ] }}
    }}
    date {{ match => [ \"time\", \"ISO8601\", \"MMM dd yyyy HH:mm:ss\" ] timezone => \"UTC\" }}
  }}
"
        ));
        written += 15;
    }
    text.push_str("}\n");
    text
}
