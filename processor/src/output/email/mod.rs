//! Output `email`: a mail for each event.

mod message;
mod smtp;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use tailrace_common::datetime::Pattern;
use tailrace_common::{Event, Timestamp};

use self::message::{Mail, address};
use self::smtp::{Login, Server, SmtpError};
use super::common::{Backoff, Sent, one_by_one};
use super::{Output, OutputDefinition, OutputError, Services, common_options};
use crate::delivery::Share;
use crate::options::{Invalid, Options};
use crate::plan::template::{Template, TemplateError};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "email", summary: "Sends a mail for each event.", build };

/// The first and the longest wait before another try.
const WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    options.require("to");
    let list = |option: &'static str, options: &mut Options<'_>| {
        options.strings(option).iter().map(|text| Template::parse(text)).collect()
    };
    let to = list("to", &mut options);
    let cc = list("cc", &mut options);
    let bcc = list("bcc", &mut options);
    let from = options.template("from").unwrap_or_else(|| Template::parse("logstash.alert@example.com"));
    let reply_to = options.template("replyto");
    let subject = options.template("subject").unwrap_or_else(|| Template::parse(""));
    let body = options.template("body").unwrap_or_else(|| Template::parse(""));
    let mut html = options.template("htmlbody");
    if let Some(path) = options.existing_path("template_file") {
        let path = build.directory.join(path);
        match std::fs::read_to_string(&path) {
            Ok(text) => html = Some(Template::parse(&text)),
            Err(error) => options.error_at("template_file", format!("cannot read '{}': {error}", path.display())),
        }
    }
    let content_type = options.string("contenttype").unwrap_or_else(|| "text/html; charset=UTF-8".into());
    let attachments = options.existing_paths("attachments");
    let server = server(&mut options);
    let id = options.id().unwrap_or_else(|| "email".into());
    options.finish()?;
    Ok(Box::new(Email {
        id,
        to,
        cc,
        bcc,
        from,
        reply_to,
        subject,
        body,
        html,
        content_type,
        attachments: attachments.into_iter().map(|path| build.directory.join(path)).collect(),
        date: Pattern::java("EEE, dd MMM yyyy HH:mm:ss +0000").map_err(|_| Invalid)?,
        server,
        services: OnceLock::new(),
    }))
}

fn server(options: &mut Options<'_>) -> Server {
    if options.one_of("via", &["smtp", "sendmail"], "smtp") == "sendmail" {
        options.error_at("via", "sendmail is not supported; set 'address' and 'port' of a mail server");
    }
    options.boolean("debug", false);
    let host = options.string("address").unwrap_or_else(|| "localhost".into());
    let port = options.integer("port").unwrap_or(25);
    let port = u16::try_from(port).unwrap_or_else(|_| {
        options.error_at("port", format!("'port' must be 0 to 65535, this is {port}"));
        0
    });
    let domain = options.string("domain").unwrap_or_else(|| "localhost".into());
    let starttls = options.boolean("use_tls", false);
    let method = options.one_of("authentication", &["plain", "login", "cram_md5"], "plain");
    if method == "cram_md5" {
        options.error_at("authentication", "cram_md5 is not supported; use plain or login with 'use_tls'");
    }
    let (user, password) = (options.string("username"), options.string("password"));
    if user.is_some() != password.is_some() {
        options.error_at("username", "'username' and 'password' belong together");
    }
    let login = user.zip(password).map(|(user, password)| Login { user, password, by_login: method == "login" });
    Server { host, port, domain, starttls, login }
}

struct Email {
    id: String,
    to: Vec<Template>,
    cc: Vec<Template>,
    bcc: Vec<Template>,
    from: Template,
    reply_to: Option<Template>,
    subject: Template,
    body: Template,
    html: Option<Template>,
    content_type: String,
    attachments: Vec<PathBuf>,
    date: Pattern,
    server: Server,
    services: OnceLock<Services>,
}

impl Output for Email {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(services) = self.services.get() else { return };
        one_by_one(&self.id, services, events, share, |event| {
            let mut backoff = Backoff::new(services, WAITS.0, WAITS.1);
            loop {
                match self.send(event) {
                    Ok(()) => return Sent::Delivered,
                    Err(SmtpError::Refused(reason)) => return Sent::Refused(reason),
                    Err(SmtpError::Later(reason)) => {
                        tracing::warn!(output = self.id, reason, "cannot send a mail; will try again");
                        if !backoff.wait() {
                            return Sent::Abandoned;
                        }
                    }
                }
            }
        });
    }
}

impl Email {
    fn send(&self, event: &Event) -> Result<(), SmtpError> {
        let refused = |error: TemplateError| SmtpError::Refused(error.to_string());
        let mail = self.mail(event, self.attachments()?).map_err(refused)?;
        let bcc = filled(&self.bcc, event).map_err(refused)?;
        let no_address = |text: &str| SmtpError::Refused(format!("'{text}' is no address"));
        let from = address(&mail.from).ok_or_else(|| no_address(&mail.from))?;
        let receivers = mail.to.iter().chain(&mail.cc).chain(&bcc);
        let receivers: Vec<&str> =
            receivers.map(|text| address(text).ok_or_else(|| no_address(text))).collect::<Result<_, _>>()?;
        self.server.send(from, &receivers, &mail.write())
    }

    fn attachments(&self) -> std::io::Result<Vec<(String, Vec<u8>)>> {
        let read = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Ok((name, std::fs::read(path)?))
        };
        self.attachments.iter().map(read).collect()
    }

    fn mail(&self, event: &Event, attachments: Vec<(String, Vec<u8>)>) -> Result<Mail, TemplateError> {
        let mut date = Vec::new();
        self.date.print(&Timestamp::now(), &mut date);
        let unique = uuid::Uuid::new_v4();
        Ok(Mail {
            from: self.from.render(event)?.to_string(),
            to: filled(&self.to, event)?,
            cc: filled(&self.cc, event)?,
            reply_to: self.reply_to.as_ref().map(|text| text.render(event).map(|text| text.to_string())).transpose()?,
            subject: self.subject.render(event)?.to_string(),
            text: self.body.render(event)?.to_string(),
            html: self.html.as_ref().map(|text| text.render(event).map(|text| text.to_string())).transpose()?,
            content_type: self.content_type.clone(),
            attachments,
            date: String::from_utf8_lossy(&date).into_owned(),
            boundary: unique.simple().to_string(),
            id: format!("<{unique}@{}>", self.server.domain),
        })
    }
}

/// Addresses; one text may hold several between commas.
fn filled(templates: &[Template], event: &Event) -> Result<Vec<String>, TemplateError> {
    let mut addresses = Vec::new();
    for template in templates {
        let text = template.render(event)?;
        addresses.extend(text.as_str().split(',').map(|part| part.trim().to_string()).filter(|part| !part.is_empty()));
    }
    Ok(addresses)
}
