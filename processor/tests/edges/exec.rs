//! Input and output `exec`. Commands are allowed by the environment, which threads share: one test, then, for both ways.

use std::sync::Arc;

use tailrace_processor::lang::{ParseOptions, render};
use tailrace_processor::pipeline::{Pipeline, PipelineSettings};
use tailrace_processor::settings::{files, variables};

use crate::support::eventually;

#[test]
fn commands_run_only_where_they_are_allowed() {
    let config = "input { exec { command => \"echo x\" interval => 1 } } output { exec { command => \"true\" } }";
    let (config, mut findings) = files::from_string(config, ParseOptions::default());
    let expand = |text: &str| variables::expand(text, &variables::environment);
    Pipeline::compile(&config, &PipelineSettings::default(), &expand, &mut findings);
    let shown: String = findings.iter().map(|finding| render::human(finding, render::Colours(false))).collect();
    assert_eq!(shown.matches("'exec' runs commands, which is not allowed").count(), 2, "{shown}");
    assert!(shown.contains("TAILRACE_ALLOW_EXEC=true"), "{shown}");
}

/// Runs this very test program again with commands allowed.
#[test]
fn what_commands_print_becomes_events_and_events_become_commands() {
    if std::env::var("TAILRACE_ALLOW_EXEC").is_ok() {
        return allowed();
    }
    let name = "exec::what_commands_print_becomes_events_and_events_become_commands";
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact"])
        .env("TAILRACE_ALLOW_EXEC", "true")
        .output()
        .unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
}

fn allowed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let config = format!(
        "input {{ exec {{ command => \"printf 'a\\nb'; exit 3\" interval => 0.05 codec => line ecs_compatibility => disabled }} }}
         filter {{ mutate {{ add_field => {{ \"code\" => \"%{{[@metadata][exit_status]}}\" }} }} }}
         output {{ exec {{ command => \"echo %{{message}} %{{code}} >> {}\" quiet => true }} }}",
        out.display()
    );
    let running = crate::support::start_on(&config, folder.path(), &Arc::default());
    let text = eventually("both lines are written", || {
        let text = std::fs::read_to_string(&out).ok()?;
        (text.lines().count() >= 2).then_some(text)
    });
    running.stop();
    assert!(running.join());
    let mut lines: Vec<&str> = text.lines().take(2).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a 3", "b 3"]);
}
