//! `config --markdown`: every setting as a page.

use crate::config::SETTINGS;

const HEAD: &str = "\
# Settings

`contacts-gateway config` prints every setting with the value that is in force and where that came from; `contacts-gateway config --markdown` prints this page.

A setting is an environment variable, or the same name in a TOML file that `--config` names, in lower case and without `GATEWAY_`. The environment wins. Settings
are read once, at the start; everything that is wrong with them is told at once, and the command ends with 64. Times are written as `250ms`, `5s` or `2m`,
sizes as `256KiB` or `64MiB`. What ends in `_FILE` names a file that holds the value: better for secrets than the environment.

";

const TAIL: &str = "
## Several locations

Only in a settings file. Each `[[location]]` has an `id` and one of `api_key`, `api_key_file` and `oauth`; `name` and `timezone` are optional. With several, a caller
names one with the header `x-location-id`.

```toml
ttl_contact = \"2m\"

[[location]]
id = \"LOC_A0000000000000000\"
name = \"Main Street Dental\"
api_key_file = \"/run/secrets/main-street\"
timezone = \"America/Chicago\"

[[location]]
id = \"LOC_B0000000000000000\"
name = \"Harbour Gym\"
oauth = { client_id = \"app\", client_secret_file = \"/run/secrets/app\", refresh_token_file = \"/run/secrets/harbour\" }
```
";

/// The page.
pub fn markdown() -> String {
    let mut page = format!("{HEAD}| setting | default | what it is |\n|---|---|---|\n");
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        let (name, meaning) = (setting.name, setting.meaning.replace('|', "\\|").replace('*', "\\*"));
        page += &format!("| `{name}` | {default} | {meaning} |\n");
    }
    page + TAIL
}
