//! Who may come in: from the settings to keys, which files and variables hold.

use crate::{failure::Failure, keeping::Whose, settings::AuthSettings};
use anyhow::{Context, anyhow};
use stateroom_server::{Auth, Keys, KeysError, ServerConfig};
use std::{env, fs::File, io::Read as _, path::Path};

/// Of a file no more is read than tells that it is too large.
const READ_BYTES: u64 = 1 << 20;

/// What holds: `stronger` over `weaker` over the defaults; `None` where nothing is said of it. A file that
/// `stronger` names is relative to the current folder, others to `folder`, that of `weaker`.
pub(crate) fn load(
    whose: Whose,
    (weaker, folder): (Option<&AuthSettings>, &Path),
    stronger: &AuthSettings,
) -> anyhow::Result<Option<Auth>> {
    let nothing = AuthSettings::default();
    if weaker.is_none() && *stronger == nothing {
        return Ok(None);
    }
    let weaker = weaker.unwrap_or(&nothing);
    let keys = keys((weaker, folder), stronger).context(Failure::Usage)?;
    let mut auth = Auth::new(keys);
    for settings in [weaker, stronger] {
        let or = |given: &Option<String>, before: Option<String>| given.clone().or(before);
        auth.issuer = or(&settings.jwt_issuer, auth.issuer);
        auth.audience = or(&settings.jwt_audience, auth.audience);
        auth.rooms_claim = or(&settings.jwt_rooms_claim, auth.rooms_claim);
        auth.query_parameter = or(&settings.jwt_query_parameter, auth.query_parameter);
        auth.told_claims = settings.jwt_claims.clone().unwrap_or(auth.told_claims);
        auth.leeway = settings.jwt_leeway.map_or(auth.leeway, |time| time.0);
    }
    auth.anonymous = stronger.anonymous.or(weaker.anonymous).unwrap_or(whose == Whose::Dev);
    Ok(Some(auth))
}

/// Tells the log who may come in, and from which pages.
pub(crate) fn tell(config: &ServerConfig) {
    let origins: Vec<_> = config.allowed_origins.iter().map(ToString::to_string).collect();
    let allowed_origins = origins.join(", ");
    tracing::info!(allowed_origins, "only pages of these origins may open rooms");
    match &config.auth {
        Some(auth) => {
            tracing::info!(anonymous = auth.anonymous, "clients come in with tokens (JWT)");
        }
        None => tracing::info!("clients come in without tokens: there is no [auth]"),
    }
}

/// Adds what has been read to the keys.
type Add = fn(&mut Keys, &[u8]) -> Result<(), KeysError>;

fn keys((weaker, folder): (&AuthSettings, &Path), stronger: &AuthSettings) -> anyhow::Result<Keys> {
    let mut keys = Keys::default();
    let secret: Add = |keys, bytes| keys.add_secret(bytes);
    let secret_in_file: Add = |keys, bytes| {
        let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let end = bytes.iter().rposition(|byte| !is_break(byte)).map_or(0, |last| last + 1);
        keys.add_secret(bytes.get(..end).unwrap_or(bytes))
    };
    let public: Add = |keys, bytes| keys.add_public_key(bytes);
    let jwks: Add = |keys, bytes| keys.add_jwks(bytes);
    let files = [
        (&stronger.jwt_secret_file, &weaker.jwt_secret_file, secret_in_file),
        (&stronger.jwt_public_key_file, &weaker.jwt_public_key_file, public),
        (&stronger.jwks_file, &weaker.jwks_file, jwks),
    ];
    for (stronger, weaker, add) in files {
        let file = stronger.clone().or_else(|| Some(folder.join(weaker.as_ref()?)));
        let Some(file) = file else { continue };
        let name = || format!("[auth]: the file {} cannot be used", file.display());
        let mut bytes = Vec::new();
        let read = File::open(&file).and_then(|file| file.take(READ_BYTES).read_to_end(&mut bytes));
        read.with_context(name)?;
        add(&mut keys, &bytes).with_context(name)?;
    }
    let variables = [
        (&stronger.jwt_secret_variable, &weaker.jwt_secret_variable, secret),
        (&stronger.jwt_public_key_variable, &weaker.jwt_public_key_variable, public),
    ];
    for (stronger, weaker, add) in variables {
        let Some(variable) = stronger.as_ref().or(weaker.as_ref()) else { continue };
        let name = || format!("[auth]: the environment variable {variable} cannot be used");
        let value = env::var_os(variable).ok_or_else(|| anyhow!("it is not set"));
        add(&mut keys, value.with_context(name)?.as_encoded_bytes()).with_context(name)?;
    }
    if keys.is_empty() {
        return Err(anyhow!(
            "[auth] has no key to check tokens with: say one of jwt_secret_file, jwt_secret_variable, \
             jwt_public_key_file, jwt_public_key_variable and jwks_file"
        ));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::PathBuf, time::Duration};

    #[test]
    fn nothing_said_is_nobody_asked_and_dev_lets_in_who_has_no_token_unless_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), format!("{}\r\n", "s".repeat(32))).unwrap();
        let nothing = AuthSettings::default();
        assert_eq!(load(Whose::Served, (None, folder.path()), &nothing).unwrap(), None);
        assert!(load(Whose::Dev, (Some(&nothing), folder.path()), &nothing).is_err());
        let only = AuthSettings { anonymous: Some(false), ..nothing.clone() };
        assert!(load(Whose::Served, (None, folder.path()), &only).is_err());

        let text = |text: &str| Some(text.to_owned());
        let file = AuthSettings {
            jwt_secret_file: Some(PathBuf::from("secret")),
            jwt_issuer: text("file"),
            jwt_audience: text("file"),
            ..nothing.clone()
        };
        let stronger = AuthSettings { jwt_audience: text("flag"), ..nothing.clone() };
        let auth =
            |whose, stronger| load(whose, (Some(&file), folder.path()), stronger).unwrap().unwrap();
        let served = auth(Whose::Served, &stronger);
        assert_eq!((served.issuer, served.audience), (text("file"), text("flag")));
        assert_eq!((served.anonymous, served.leeway), (false, Duration::from_secs(30)));
        assert!(auth(Whose::Dev, &nothing).anonymous);
        assert!(!auth(Whose::Dev, &only).anonymous);
    }

    #[test]
    fn line_breaks_at_the_end_of_a_file_are_no_part_of_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let settings = AuthSettings { jwt_secret_file: Some(file.clone()), ..Default::default() };
        let load = || load(Whose::Served, (None, folder.path()), &settings);
        fs::write(&file, format!("{}\n\r\n", "s".repeat(31))).unwrap();
        let error = format!("{:#}", load().unwrap_err());
        assert!(error.contains("this one has 31"), "{error}");
        fs::write(&file, vec![b's'; 2 << 20]).unwrap();
        assert!(format!("{:#}", load().unwrap_err()).contains("at most 65536 bytes"));
    }
}
