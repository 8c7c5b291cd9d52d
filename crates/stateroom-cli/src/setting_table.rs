//! From a table of settings to flags, variables and keys of `stateroom.toml`, and to what they set.

/// Makes of each section of a table a struct of that name, and of all of them `Settings`. A section begins
/// with its name in `stateroom.toml` and its heading in the help. A setting in it is written so:
///
/// ```text
/// /// The help
/// #[arg(what else clap is to know)]
/// name: Type as "VALUE" = "default" => place,
/// ```
///
/// `name` is the key of the file; the flag and the variable are called like it. `place` is what is set: a
/// field of the server's configuration or of the bounds. Its default is told in the help, unless another
/// text is given for that.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        [$section:ident] $heading:literal $Section:ident {$(
            $(#[doc = $help:literal])+
            $(#[arg($($arg:tt)+)])?
            $name:ident: $type:ty as $value:literal $(= $default:literal)? $(=> $part:ident.$($field:ident).+)?,
        )+}
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone, Default, PartialEq, clap::Args, serde::Deserialize)]
            #[serde(deny_unknown_fields, default)]
            #[command(next_help_heading = concat!($heading, " ([", stringify!($section), "] in stateroom.toml)"))]
            pub struct $Section {$(
                $(#[doc = $help])+
                #[arg(
                    long,
                    env = $crate::setting_table::variable(stringify!($name)),
                    hide_env = true,
                    value_name = $value,
                    help = $crate::setting_table::help(
                        &[$($help),+],
                        settings!(@default $type, [$($default)?], [$($part.$($field).+)?]),
                    ),
                    $($($arg)+)?
                )]
                pub $name: Option<$type>,
            )+}
        )+

        /// All settings of one source: the command line with the environment, or the file.
        #[derive(Debug, Clone, Default, PartialEq, clap::Args)]
        pub struct Settings {$(
            $(#[doc = $about])+
            #[command(flatten)]
            pub $section: $Section,
        )+}

        impl Settings {
            /// Writes over `server` and `bounds` what this source says, and leaves what it doesn't.
            /// The sources are applied from the weakest to the strongest.
            pub fn apply(&self, server: &mut ServerConfig, bounds: &mut Bounds) {
                let set = Places { server, bounds };
                $($($(
                    if let Some(value) = &self.$section.$name {
                        set.$part.$($field).+ = value.clone().into();
                    }
                )?)+)+
            }
        }
    };
    (@default $type:ty, [$default:literal], $place:tt) => { $default.to_owned() };
    (@default $type:ty, [], [$part:ident.$($field:ident).+]) => {{
        let (mut server, mut bounds) = (ServerConfig::default(), Bounds::default());
        let defaults = Places { server: &mut server, bounds: &mut bounds };
        <$type>::from(defaults.$part.$($field).+).to_string()
    }};
}
pub(crate) use settings;

/// What the name of every variable begins with.
pub(crate) const PREFIX: &str = "STATEROOM_";

/// `STATEROOM_MAX_CLIENTS` for `max_clients`.
pub(crate) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

/// The help of a setting, with its default if there is one to tell.
pub(crate) fn help(lines: &[&str], default: String) -> String {
    let text = lines.concat().trim().to_owned();
    if default.is_empty() { text } else { format!("{text} [default: {default}]") }
}
