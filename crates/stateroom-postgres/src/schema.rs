//! The tables, and how they are made and brought up to date. `FORMAT.md` tells what they hold.

use crate::{LogError, PARTS};
use tokio_postgres::Client;

/// The version of the tables that this is.
pub const FORMAT: i32 = 1;

/// Keeps two nodes from making tables at the same time. Any number that nobody else uses: `SRst`.
const LOCK: i64 = 0x5352_7374;

/// What leads from each version to the next one, beginning with none at all.
const STEPS: [&str; FORMAT as usize] = ["
    create table {schema}.format (version int4 not null);
    insert into {schema}.format values (0);
    create table {schema}.log (
        part int2 not null,
        seq int8 not null,
        epoch int8 not null,
        body bytea,
        primary key (part, seq)
    );
    alter table {schema}.log alter column body set storage external;
    create table {schema}.part (
        part int2 primary key,
        epoch int8 not null,
        owner text not null
    ) with (fillfactor = 50);
    create table {schema}.state (
        part int2 not null,
        room bytea not null,
        seq int8 not null,
        module bytea not null,
        body bytea not null
    );
    alter table {schema}.state alter column body set storage external;
    create unique index state_room on {schema}.state (part, sha256(room));
    create table {schema}.module (
        hash bytea primary key,
        body bytea not null,
        kept_at timestamptz not null default now()
    );
    insert into {schema}.log select part, 0, 0, null from generate_series(0, {parts} - 1) part;
    insert into {schema}.part select part, 0, '' from generate_series(0, {parts} - 1) part;
"];

/// Whether a word can stand in a statement as the name of a schema, without being quoted.
pub(crate) fn is_name(word: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let is_first = word.bytes().next().is_some_and(is_letter);
    is_first && word.len() <= 63 && word.bytes().all(|it| is_letter(it) || it.is_ascii_digit())
}

/// Makes the tables if there are none, and brings older ones up to date. Newer ones, and tables of somebody else,
/// are left as they are.
pub(crate) async fn prepare(client: &mut Client, schema: &str) -> Result<(), LogError> {
    if version(client, schema).await? == Some(FORMAT) {
        return Ok(());
    }
    let failed = |error| LogError::of_query("make the tables", &error);
    let transaction = client.transaction().await.map_err(failed)?;
    transaction
        .execute("select pg_advisory_xact_lock($1::int8)", &[&LOCK])
        .await
        .map_err(failed)?;
    let found = match version(&transaction, schema).await? {
        Some(version) => version,
        None => {
            let make = format!("create schema if not exists {schema}");
            transaction.batch_execute(&make).await.map_err(failed)?;
            0
        }
    };
    let is_new = |step: &(i32, &&str)| step.0 >= found;
    for (before, step) in (0..).zip(STEPS.iter()).filter(is_new) {
        let step = step.replace("{schema}", schema).replace("{parts}", &PARTS.to_string());
        let after = format!("{step}; update {schema}.format set version = {}", before + 1);
        transaction.batch_execute(&after).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// The version of the tables that are there; `None` if there are none at all.
async fn version(
    client: &impl tokio_postgres::GenericClient,
    schema: &str,
) -> Result<Option<i32>, LogError> {
    let failed = |error| LogError::of_query("look which tables there are", &error);
    let tables =
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1::text and c.relkind in ('r', 'p', 'v', 'm', 'f')";
    let tables = client.query(tables, &[&schema]).await.map_err(failed)?;
    if tables.is_empty() {
        return Ok(None);
    }
    let names = tables.iter().map(|row| row.try_get::<_, String>(0));
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(failed)?;
    if !["format", "log", "part"].iter().all(|name| names.iter().any(|it| it == name)) {
        return Err(LogError::NotOurs { schema: schema.to_owned() });
    }
    let versions = format!("select version from {schema}.format");
    let row = client.query_one(&versions, &[]).await.map_err(failed)?;
    let found: i32 = row.try_get(0).map_err(failed)?;
    match found {
        1..=FORMAT => Ok(Some(found)),
        _ => Err(LogError::NewerFormat { schema: schema.to_owned(), found, known: FORMAT }),
    }
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn only_plain_words_are_names_of_schemas() {
        assert!(is_name("stateroom") && is_name("_a1"));
        for word in ["", "1a", "A", "a-b", "a\"", "a;drop", "ä", &"a".repeat(64)] {
            assert!(!is_name(word), "{word}");
        }
    }
}
