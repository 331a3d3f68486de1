//! Output `exec`: a command for each event. Off unless the operator allows commands.

use std::io::Write;
use std::sync::OnceLock;

use tailrace_common::Event;

use super::common::{Sent, one_by_one};
use super::{Output, OutputDefinition, OutputError, Services, common_options};
use crate::command::{must_be_allowed, run};
use crate::delivery::Share;
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "exec", summary: "Runs a command for each event; off unless it is allowed.", build };

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    options.require("command");
    let command = options.template("command");
    let quiet = options.boolean("quiet", false);
    options.ignored("codec", "the command says what is done with the event");
    must_be_allowed(&mut options);
    let id = options.id().unwrap_or_else(|| "exec".into());
    options.finish()?;
    Ok(Box::new(Exec { id, command: command.ok_or(Invalid)?, quiet, services: OnceLock::new() }))
}

struct Exec {
    id: String,
    command: Template,
    quiet: bool,
    services: OnceLock<Services>,
}

impl Output for Exec {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(services) = self.services.get() else { return };
        one_by_one(&self.id, services, events, share, |event| {
            let ran = self.command.render(event).map_err(|error| error.to_string());
            match ran.and_then(|command| run(&command).map_err(|error| error.to_string())) {
                Ok(ran) => {
                    if !self.quiet {
                        // What the command prints is for people; that nobody reads it is no failure.
                        drop(std::io::stdout().lock().write_all(&ran.printed));
                    }
                    Sent::Delivered
                }
                Err(reason) => Sent::Refused(reason),
            }
        });
    }
}
