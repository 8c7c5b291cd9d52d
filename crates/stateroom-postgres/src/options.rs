//! How to reach the database, and who asks.

#[cfg(feature = "rustls")]
use crate::tls;
use crate::{LogError, schema};
use std::{fmt, str::FromStr, time::Duration};
#[cfg(feature = "rustls")]
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, config::TargetSessionAttrs};
#[cfg(feature = "rustls")]
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long the name of a node may be: with what stands around it, PostgreSQL cuts a name at 63 bytes.
const MAX_NODE_BYTES: usize = 32;

/// How to reach the database, and who asks. One is made for each start of a node: its claims are told from those of
/// the start before.
#[derive(Clone)]
pub struct Options {
    /// How many connections append: 4. Each part sticks to one.
    pub lanes: usize,
    /// How long an answer may take: 10 s. Then the connection is dropped, and what was on its way is unsettled.
    pub time_limit: Duration,
    /// How long claims are tried: 10 s.
    pub claim_limit: Duration,
    /// How long a claim waits for a lock at a time, and whatever keeps states or trims: 250 ms.
    pub lock_timeout: Duration,
    /// How often it is looked whether a standby is there: 2 s.
    pub look_interval: Duration,
    schema: String,
    config: Config,
    owner: String,
    /// For an address that wants it.
    #[cfg(feature = "rustls")]
    tls: Option<MakeRustlsConnect>,
}

impl Options {
    /// To the database at `address` (`postgres://user:password@host1,host2/database`), of which the host that can be
    /// written to is chosen, as the node with that name: letters, digits, `-`, `_` and `.`.
    ///
    /// With `?sslmode=require` connections are encrypted, and the certificate of the database is checked; otherwise they are
    /// not encrypted.
    ///
    /// # Errors
    /// When address or name are none.
    pub fn new(address: &str, node: &str) -> Result<Self, LogError> {
        let config = Config::from_str(address);
        let mut config = config.map_err(|error| LogError::Address { reason: error.to_string() })?;
        let is_mark = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if node.is_empty() || node.len() > MAX_NODE_BYTES || !node.bytes().all(is_mark) {
            let (name, of, marks) = (node.to_owned(), "node", "-_.");
            return Err(LogError::Name { name, of, marks, most: MAX_NODE_BYTES });
        }
        let owner = format!("stateroom {node} {:016x}", random()?);
        config.application_name(&owner);
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(3));
        config.keepalives_retries(3);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(15));
        }
        #[cfg(feature = "rustls")]
        let tls = match config.get_ssl_mode() {
            SslMode::Require => Some(tls::of_the_web()?),
            _ => {
                // What is not checked is worth nothing.
                config.ssl_mode(SslMode::Disable);
                None
            }
        };
        Ok(Options {
            lanes: 4,
            time_limit: Duration::from_secs(10),
            claim_limit: Duration::from_secs(10),
            lock_timeout: Duration::from_millis(250),
            look_interval: Duration::from_secs(2),
            schema: "stateroom".to_owned(),
            config,
            owner,
            #[cfg(feature = "rustls")]
            tls,
        })
    }

    /// Trusting databases whose certificates these authorities vouch for, and no others. Certificates in PEM, as those
    /// who run databases give them out. Means nothing without `sslmode=require`.
    ///
    /// # Errors
    /// When they are none.
    #[cfg(feature = "rustls")]
    pub fn trusting(mut self, authorities: &[u8]) -> Result<Self, LogError> {
        let tls = tls::of_authorities(authorities)?;
        self.tls = self.tls.is_some().then_some(tls);
        Ok(self)
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn tls(&self) -> Option<MakeRustlsConnect> {
        self.tls.clone()
    }

    /// With the tables in another schema than `stateroom`.
    ///
    /// # Errors
    /// When that is no plain name.
    pub fn in_schema(mut self, schema: &str) -> Result<Self, LogError> {
        if !schema::is_name(schema) {
            let name = schema.to_owned();
            return Err(LogError::Name {
                name,
                of: "schema",
                marks: "_, in small letters",
                most: 63,
            });
        }
        schema.clone_into(&mut self.schema);
        Ok(self)
    }

    /// The schema that the tables are in.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// What the connections of this start of the node are called in `pg_stat_activity`, and what its claims are signed with.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// With settings that a connection has from its very start: so the first statement is under them, and whoever stands in
    /// between and drops them is seen, since `mark` cannot be read back. A `lock_timeout` of 0 is none.
    pub(crate) fn config(&self, mark: &str, lock_timeout: Duration) -> Config {
        let mut config = self.config.clone();
        let own = config.get_options().map(|own| format!("{own} ")).unwrap_or_default();
        let timeout = lock_timeout.as_millis();
        // The last ones have the server notice that a machine is gone, whose statement may hold keys until then.
        config.options(format!(
            "{own}-c synchronous_commit=on -c default_transaction_isolation=read\\ committed \
             -c lock_timeout={timeout} -c stateroom.link={mark} -c tcp_keepalives_idle=5 \
             -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000"
        ));
        config
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the address, which may hold a password.
        let mut debug = formatter.debug_struct("Options");
        debug.field("owner", &self.owner).field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Bits of the operating system's.
pub(crate) fn random() -> Result<u64, LogError> {
    getrandom::u64()
        .map_err(|error| LogError::Query { what: "draw random bits", reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::{Duration, Options};

    #[test]
    fn two_starts_of_a_node_are_told_apart_and_their_names_are_not_cut() {
        let longest = "n".repeat(32);
        let start = || Options::new("postgres://localhost/rooms", &longest).unwrap();
        assert_ne!(start().owner(), start().owner());
        assert!(start().owner().len() <= 63);
    }

    #[test]
    fn names_and_addresses_that_are_none_are_refused_without_showing_a_password() {
        let address = "postgres://localhost/rooms";
        for node in ["", "a b", "ä", &"n".repeat(33)] {
            assert!(Options::new(address, node).is_err(), "{node}");
        }
        assert!(Options::new(address, "one").unwrap().in_schema("a;b").is_err());
        let error = Options::new("postgres://me:secret@host:nine/rooms", "one").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        let fine = Options::new("postgres://me:secret@host/rooms", "one").unwrap();
        assert!(!format!("{fine:?}").contains("secret"));
    }

    #[test]
    fn settings_of_the_address_are_kept_beside_our_own() {
        let address = "postgres://localhost/rooms?options=-c%20work_mem%3D4MB";
        let config = Options::new(address, "one").unwrap().config("mark", Duration::ZERO);
        let options = config.get_options().unwrap();
        assert!(options.starts_with("-c work_mem=4MB -c synchronous_commit=on"), "{options}");
    }
}
