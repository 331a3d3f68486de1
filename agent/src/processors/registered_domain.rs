//! `registered_domain`: `www.example.co.uk` belongs to `example.co.uk`, by the list of public suffixes.

use std::sync::Arc;

use tailrace_common::Event;

use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct RegisteredDomain {
    field: Field,
    target: Field,
    suffix: Option<Field>,
    subdomain: Option<Field>,
    ignore_missing: bool,
    ignore_failure: bool,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let (field, target) = (section.required("field"), section.required("target_field"));
    section.text("id");
    let suffix = section.text("target_etld_field").map(Field::new);
    let subdomain = section.text("target_subdomain_field").map(Field::new);
    let ignore_missing = section.boolean("ignore_missing", false);
    let ignore_failure = section.boolean("ignore_failure", false);
    Some(Arc::new(RegisteredDomain {
        field: Field::new(field?),
        target: Field::new(target?),
        suffix,
        subdomain,
        ignore_missing,
        ignore_failure,
    }))
}

impl RegisteredDomain {
    fn split(&self, event: &mut Event) -> Result<(), Failure> {
        let name = self.field.name();
        let Some(value) = self.field.get(event) else {
            if self.ignore_missing {
                return Ok(());
            }
            return Err(Failure(format!("registered_domain source field [{name}] not found: key not found")));
        };
        let not_text = || Failure(format!("registered_domain source field [{name}] is not a string"));
        let domain = value.as_str().ok_or_else(not_text)?.to_owned();
        let none = || Failure(format!("failed to determine the registered domain of '{domain}'"));
        let registered = psl::domain_str(&domain).ok_or_else(none)?;
        self.target.put(event, registered)?;
        if let (Some(field), Some(suffix)) = (&self.suffix, psl::suffix_str(&domain)) {
            field.put(event, suffix)?;
        }
        let above = domain.strip_suffix(registered).and_then(|above| above.strip_suffix('.'));
        if let (Some(field), Some(above)) = (&self.subdomain, above.filter(|above| !above.is_empty())) {
            field.put(event, above)?;
        }
        Ok(())
    }
}

impl Processor for RegisteredDomain {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        match self.split(event) {
            Err(failure) if !self.ignore_failure => Err(failure),
            _ => Ok(Verdict::Keep),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn domains_are_cut_at_the_public_suffix() {
        let split = "- registered_domain: {field: d, target_field: r, target_etld_field: s, target_subdomain_field: u}";
        for (domain, wanted) in [
            ("www.shop.example.co.uk", json!({"r": "example.co.uk", "s": "co.uk", "u": "www.shop"})),
            ("google.com", json!({"r": "google.com", "s": "com"})),
            ("com", json!({})),
        ] {
            let mut made = changed(split, &format!("{{\"d\":\"{domain}\"}}"));
            made.as_object_mut().map(|made| made.remove("d"));
            assert_eq!(made, wanted, "{domain}");
        }
    }
}
