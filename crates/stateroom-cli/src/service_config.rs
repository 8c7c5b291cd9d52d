//! What a service may ask for by name: `[service.config]` and `[service.secrets]` of `stateroom.toml`.

use crate::{config::ServiceConfig, failure::Failure};
use anyhow::{Context, anyhow, ensure};
use serde_json::{Map, Value};
use std::{env, sync::Arc};

/// How long all of it may be, in bytes of JSON: each room has a copy on the disk.
const MOST_BYTES: usize = 64 * 1024;

/// All of it as a JSON object, if there is any.
///
/// # Errors
/// When a variable is not there, a name is said twice, or there is too much.
pub(crate) fn load(service: &ServiceConfig) -> anyhow::Result<Option<Arc<str>>> {
    read(service).context(Failure::Usage)
}

fn read(service: &ServiceConfig) -> anyhow::Result<Option<Arc<str>>> {
    let mut all = Map::new();
    for (name, value) in &service.config {
        all.insert(name.clone(), serde_json::to_value(value)?);
    }
    for (name, variable) in &service.secrets {
        let where_it_is = || format!("[service.secrets]: `{name}`");
        let unusable = || format!("the environment variable {variable} cannot be used");
        let secret = env::var(variable).with_context(unusable).with_context(where_it_is)?;
        if all.insert(name.clone(), Value::String(secret)).is_some() {
            return Err(anyhow!("[service.config] has it too").context(where_it_is()));
        }
    }
    let text = Value::Object(all).to_string();
    ensure!(
        text.len() <= MOST_BYTES,
        "[service.config] and [service.secrets] may have {MOST_BYTES} bytes together, as JSON; they have {}",
        text.len()
    );
    Ok((text != "{}").then(|| text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> anyhow::Result<Option<String>> {
        let service = toml::from_str(text).unwrap();
        Ok(load(&service)?.map(|text| text.to_string()))
    }

    #[test]
    fn what_the_sections_say_is_one_json_object() {
        assert_eq!(loaded("package = \"x\"").unwrap(), None);
        let text =
            "[config]\nturn_seconds = 30\nwords = [\"a\", \"b\"]\n[secrets]\npath = \"PATH\"";
        let all: Value = serde_json::from_str(&loaded(text).unwrap().unwrap()).unwrap();
        assert_eq!(all["turn_seconds"], 30);
        assert_eq!(all["words"][1], "b");
        assert_eq!(all["path"], env::var("PATH").unwrap());
    }

    #[test]
    fn what_cannot_be_told_is_said_by_its_name() {
        for (text, why) in [
            ("[secrets]\nkey = \"NO_SUCH_VARIABLE\"".to_owned(), "NO_SUCH_VARIABLE"),
            (
                "[config]\nkey = 1\n[secrets]\nkey = \"PATH\"".to_owned(),
                "`key`: [service.config] has it too",
            ),
            (format!("[config]\nkey = \"{}\"", "x".repeat(MOST_BYTES)), "65536 bytes together"),
        ] {
            let error = format!("{:#}", loaded(&text).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }
}
