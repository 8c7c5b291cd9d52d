//! `docs/settings.md`, which is written from the declarations of the settings.

use clap::{Arg, Command, CommandFactory};
use stateroom_cli::{
    config::{Config, ConfigError},
    options::Options,
};
use std::{fmt::Write, fs, path::Path};

/// What has the page written anew, rather than compared.
const WRITE: &str = "WRITE_DOCS";

const BEGINNING: &str = "\
# Settings

Each is a flag of `stateroom dev` and `stateroom serve`, a variable of the environment, and a key of
`stateroom.toml` at once. The flag goes over the variable, that over the file, and that over the default.

- A TIME is written like `30s`, `500ms` or `2m`; a plain number is seconds.
- A SIZE is written like `512KiB` or `2MB`; a plain number is bytes.
- Several values have commas between them, and are a list in the file: `room_paths = [\"/a/{room}\", \"/b/{room}\"]`.

`dev` reads the `stateroom.toml` in the project's folder, `serve` the one in the folder of the module, and both
the one that `--config` names. A key that means nothing is an error, which tells the nearest one; a variable
`STATEROOM_…` that means nothing is a warning.

This page is written from the declarations of the settings; a test tells when it is stale, and how to write it.
";

const REST: &str = r#"
## What else `stateroom.toml` may say

```toml
static_files = "static"    # the folder, beside this file, whose files are served at /

[service]
package = "my-service"     # the package to build; without it, the one in the folder of this file
dev_profile = "release"    # the cargo profile that `dev` builds with; this is the default
types = "static/types.d.ts"    # where `types` writes the TypeScript types of the messages; `dev` keeps them fresh

[service.config]           # what the service may ask for: `context.config("turn_seconds")` is "30"
turn_seconds = 30

[service.secrets]          # the same of what stays out of this file: the environment variable that has it
signing_key = "SIGNING_KEY"

[client]                   # for a project that has a client for browsers in Rust
package = "my-client"      # the package to build, with wasm-bindgen; it is served at /client
optimization_level = "s"   # how `build` has wasm-opt optimise it: 0, 1, 2, 3, 4, s (the default) or z
```

What is in `[service.config]` and `[service.secrets]` is read at the start, and has at most 64 KiB together, as JSON. A
text is told as it is, anything else as JSON. Each room is told by an event, so that it does the same again when it is
brought back: **secrets too are on the disk then**, in the data folder.
"#;

/// The options of `command` that are settings, in the order of its help.
fn settings(command: &Command) -> Vec<&Arg> {
    command.get_arguments().filter(|argument| argument.get_env().is_some()).collect()
}

/// The section of `stateroom.toml` in `Server ([server] in stateroom.toml)`.
fn section(heading: &str) -> &str {
    heading.split(['[', ']']).nth(1).unwrap()
}

/// The row of a table that tells of a setting; its key too, where it is one in a section of the file.
fn row(setting: &Arg, section: Option<&str>) -> String {
    let help = setting.get_help().unwrap().to_string();
    let (what, default) = match help.split_once(" [default: ") {
        Some((what, default)) => (what, default.trim_end_matches(']').to_owned()),
        None => {
            (&*help, setting.get_default_values().iter().map(|it| it.to_string_lossy()).collect())
        }
    };
    let values = setting.get_possible_values();
    let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
    let values = match setting.is_hide_possible_values_set() || values.is_empty() {
        true => String::new(),
        false => format!(": {}", values.join(", ")),
    };
    let value = setting.get_value_names().unwrap()[0].as_str();
    let flag = setting.get_long().unwrap();
    let short = setting.get_short().map(|short| format!(", `-{short}`")).unwrap_or_default();
    let flag = match setting.get_num_args().is_some_and(|count| count.min_values() == 0) {
        true => format!("`--{flag}[={value}]`{short}"),
        false => format!("`--{flag} {value}`{short}"),
    };
    let variable = setting.get_env().unwrap().to_string_lossy();
    let key = section.map(|_| format!(" `{}` |", setting.get_id())).unwrap_or_default();
    format!("| {flag} | `{variable}` |{key} {default} | {what}{values} |\n")
}

fn page() -> String {
    let mut command = Options::command();
    command.build();
    let serve = command.find_subcommand("serve").unwrap();
    let mut page = BEGINNING.to_owned();
    let mut last = None;
    let (of_command, of_server): (Vec<_>, Vec<_>) =
        settings(serve).into_iter().partition(|setting| setting.get_help_heading().is_none());
    for setting in of_server {
        let heading = setting.get_help_heading().unwrap();
        let section = section(heading);
        if last.replace(heading) != Some(heading) {
            let title = heading.split(" (").next().unwrap();
            write!(page, "\n## {title}: `[{section}]`\n\n").unwrap();
            writeln!(
                page,
                "| flag | variable | key | default | |\n| --- | --- | --- | --- | --- |"
            )
            .unwrap();
        }
        page.push_str(&row(setting, Some(section)));
    }
    page.push_str("\n## The command itself\n\nThese are in no file.\n\n");
    page.push_str("| flag | variable | default | |\n| --- | --- | --- | --- |\n");
    for setting in of_command {
        page.push_str(&row(setting, None));
    }
    page + REST
}

#[test]
fn the_page_of_settings_is_as_they_are_declared() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    let page = page();
    assert!(page.lines().filter(|line| line.starts_with("| `--")).count() > 40, "{page}");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "{} is stale: write it anew with `{WRITE}=1 cargo test -p stateroom-cli --test it settings_page`",
        file.display()
    );
}

#[test]
fn each_setting_is_a_key_of_the_section_that_the_page_tells_and_one_of_dev_too() {
    let command = Options::command();
    let [serve, dev] =
        ["serve", "dev"].map(|name| settings(command.find_subcommand(name).unwrap()));
    let names = |settings: &[&Arg]| -> Vec<String> {
        let in_file = settings.iter().filter(|setting| setting.get_help_heading().is_some());
        in_file.map(|setting| setting.get_id().to_string()).collect()
    };
    assert_eq!(names(&serve), names(&dev));
    for setting in serve.into_iter().filter(|setting| setting.get_help_heading().is_some()) {
        let section = section(setting.get_help_heading().unwrap());
        let text = format!("[{section}]\n{} = {{}}", setting.get_id());
        let error = Config::parse(Path::new("stateroom.toml"), &text).unwrap_err();
        // What is wrong is the value.
        assert!(matches!(error, ConfigError::Invalid { line: 2, .. }), "{error}");
    }
}

#[test]
fn what_the_page_tells_of_the_rest_of_the_file_is_all_there_is() {
    let example = REST.split("```").nth(1).unwrap().trim_start_matches("toml");
    let parse = |text: &str| Config::parse(Path::new("stateroom.toml"), text);
    let config = parse(example).unwrap();
    assert!(config.static_files.is_some() && config.service.package.is_some());
    assert_eq!(config.service.dev_profile, Config::default().service.dev_profile);
    let client = config.client.unwrap();
    assert_eq!(client.optimization_level, Default::default());
    for section in ["", "[service]\n", "[client]\n"] {
        let Err(ConfigError::UnknownKey { valid, .. }) =
            parse(&format!("{section}no_such_key = 1"))
        else {
            panic!("{section}");
        };
        // Of older projects, and the sections that the tables tell of.
        let is_told =
            |key: &&String| example.contains(&**key) || page().contains(&format!("`[{key}]`"));
        let untold: Vec<_> = valid.iter().filter(|key| !is_told(key)).collect();
        assert!(untold.is_empty() || untold == ["service_id"], "{untold:?}");
    }
}
