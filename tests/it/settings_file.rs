//! A settings file that is wrong: each key is told with its row and what mends it, all at once, and no value that may be a secret.

use std::fs;

use tempfile::NamedTempFile;

use super::commands::{gateway, told};

/// What `config`, `check` and `serve` find wrong with a file, which is the same for all of them.
fn problems(text: &str, settings: &[(&str, &str)]) -> Vec<String> {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("a file that can be written");
    let path = file.path().to_str().expect("a path");
    let mut all = ["config", "check", "serve"].map(|command| {
        let output = gateway(&[command, "--config", path], settings);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(64), "{command}: {told}");
        assert!(!told.contains("planted"), "{command}: {told}");
        let lines = told.lines().filter_map(|line| line.trim_start().strip_prefix("- "));
        lines.map(|line| line.replace(path, "FILE")).collect::<Vec<_>>()
    });
    assert!(all[0] == all[1] && all[1] == all[2], "{all:?}");
    std::mem::take(&mut all[0])
}

#[test]
fn each_wrong_key_of_each_row_is_told_with_its_row_and_nothing_else_is() {
    let text = "\
timezone = \"Europe/Berlin\"

[[location]]
id = \"L1\"
api_key = \"pit-planted\"
name = 5

[[location]]
idd = \"L2\"
api_key = [\"pit-planted\"]

[[location]]
id = \"L1\"
api_kee = \"pit-planted\"
pit-planted = \"api_key\"
timezone = \"pit-planted\"

[[location]]
id = \"pit-planted\"
api_key = \"L4\"
api_key_file = \"pit-planted\"
ttl_tasks = \"1s\"

[[location]]
id = \"L5\"
api_key_file = \"pit-planted\"

[[location]]
id = \"L6\"
oauth = \"pit-planted\"

[[location]]
id = \"L7\"
oauth = { client_id = 7, client_secret = \"pit planted\", refresh_token = \"pit-planted\", refresh_token_file = \"planted\", user_type = \"planted\", api_key = \"pit-planted\" }
";
    let keys = "expected one of the keys id, name, timezone, api_key, api_key_file, oauth";
    let want = [
        "[[location]] 1 (L1) name is `(integer)`; expected a text, in quotes",
        &format!("[[location]] 2 idd is `set`; {keys}"),
        "[[location]] 2 api_key is `(array)`; expected a text, in quotes",
        "[[location]] 2 id is not set; expected the location's id, a text in quotes",
        &format!("[[location]] 3 (L1) api_kee is `set`; {keys}"),
        &format!("[[location]] 3 (L1) (hidden) is `set`; {keys}"),
        "[[location]] 3 (L1) api_key is not set; expected the location's private integration token, or in its place api_key_file or oauth",
        "[[location]] 3 (L1) timezone is `(hidden)`; expected the IANA name of a time zone, as America/Chicago",
        "[[location]] 3 (L1) id is `there twice`; expected an id that no other [[location]] has",
        &format!("[[location]] 4 ttl_tasks is `set`; {keys}; as a setting, it stands above the first [[location]]"),
        "[[location]] 4 api_key is `beside api_key_file`; expected one of them alone",
        "[[location]] 5 (L5) api_key_file is `(hidden)`; expected the path of a file that can be read and holds the secret \
         (No such file or directory (os error 2))",
        "[[location]] 6 (L6) oauth is `(string)`; expected a table, as { user_type = \"Company\" }",
        "[[location]] 7 (L7) oauth api_key is `set`; expected one of the keys client_id, client_secret, client_secret_file, \
         refresh_token, refresh_token_file, user_type; as a setting, it stands above the first [[location]]",
        "[[location]] 7 (L7) oauth client_id is `(integer)`; expected a text, in quotes",
        "[[location]] 7 (L7) oauth client_secret is `(hidden)`; expected a token of visible ASCII characters, without blanks",
        "[[location]] 7 (L7) oauth refresh_token is `beside refresh_token_file`; expected one of the two",
        "[[location]] 7 (L7) oauth user_type is `(hidden)`; expected Location or Company",
    ];
    let mut told = problems(text, &[]);
    let mut want: Vec<String> = want.into_iter().map(str::to_owned).collect();
    told.sort_unstable();
    want.sort_unstable();
    assert_eq!(told, want);
}

#[test]
fn what_is_no_row_is_told_as_that_and_not_as_no_location() {
    for (text, want) in [
        (
            "[location]\nid = \"L1\"\napi_key = \"pit-planted\"",
            "location is `(table)`; expected [[location]], in two brackets",
        ),
        ("location = \"pit-planted\"", "location is `(string)`; expected [[location]], in two brackets"),
        ("location = [\"pit-planted\"]", "[[location]] 1 is `(string)`; expected a table"),
        ("[[location]]\nid = \"L1\"", "[[location]] 1 (L1) api_key is not set; expected"),
        ("location_id = [\"L1\"]\napi_key = \"pit-planted\"", "GATEWAY_LOCATION_ID is `(array)`; expected one value"),
        (
            "location_id = \"L1\"\napi_key = { file = \"pit-planted\" }",
            "GATEWAY_API_KEY is `(table)`; expected one value",
        ),
        (
            "location_id = \"L1\"\napi_key_file = \"pit-planted\"",
            "GATEWAY_API_KEY_FILE is `(hidden)`; expected the path",
        ),
        (
            "location_id = \"L1\"\noauth_client_id = \"app\"\noauth_client_secret_file = \"planted\"\noauth_redirect_url = \"here\"",
            "GATEWAY_OAUTH_CLIENT_SECRET_FILE is `(hidden)`; expected the path",
        ),
        (
            "location_id = \"L1\"\napi_key = \"pit-planted\"\npit-planted = 1",
            "(hidden) in FILE is `set`; expected the name of",
        ),
        (
            "location_id = \"L1\"\napi_key = \"pit-planted\"\nListen = 1",
            "Listen in FILE is `set`; expected the name of",
        ),
    ] {
        let told = problems(text, &[]);
        let more = usize::from(text.contains("oauth_redirect_url"));
        assert!(told.len() == 1 + more && told.iter().any(|line| line.starts_with(want)), "{text}: {told:?}");
    }
    // Where there is no location, that is told.
    let told = problems("location = []", &[]);
    assert!(told.len() == 2 && told[0].starts_with("GATEWAY_LOCATION_ID is not set"), "{told:?}");
}

#[test]
fn what_is_named_beside_the_rows_is_told_by_its_name() {
    let row = "[[location]]\nid = \"L1\"\napi_key = \"pit-planted\"\n";
    let settings = [("LOCATION_ID", "L1"), ("API_KEY", "pit-planted-too"), ("OAUTH_REFRESH_TOKEN", "planted")];
    let told = problems(row, &settings);
    let names = ["GATEWAY_LOCATION_ID", "GATEWAY_API_KEY", "GATEWAY_OAUTH_REFRESH_TOKEN"];
    let want = names.map(|name| {
        format!("{name} is `set`; expected nothing, since the settings file has [[location]]: locations and their tokens are named there")
    });
    assert_eq!(told, want);
}

#[test]
fn a_file_that_is_no_toml_is_told_by_line_and_column_alone() {
    for (text, line, column) in [
        ("timezone = \"UTC\"\n[[location]]\nid = \"L1\"\napi_key = pit-planted\n", 4, 11),
        ("api_key = \"pit-planted\"\napi_key = \"pit-planted\"\n", 2, 1),
        ("api_key \"pit-planted\"\n", 1, 9),
        ("name = \"ä\" pit-planted = \"x\"\n", 1, 12),
        ("api_key = \"pit-planted\n[[location]]\n", 1, 23),
        ("api_key = \"pit-\\planted\"\n", 1, 17),
        ("[[location]\npit-planted = \"x\"\n", 1, 12),
        ("a = 2026-13-planted\n", 1, 5),
        ("pit-planted", 1, 12),
        ("location.pit-planted = 1\n[location.pit-planted]\n[[location]]\n", 2, 11),
    ] {
        // Nothing else is known then, whatever the file was to say.
        let told = problems(text, &[("AUTH", "keys")]);
        let want = format!(
            "--config is `FILE`; expected TOML, which it is not at line {line}, column {column}: texts are in quotes, each key is \
             there once, tables are in brackets"
        );
        assert_eq!(told, [want], "{text}");
    }
    let output = gateway(&["check", "--config", "/no/such/file"], &[]);
    let told = told(&output);
    assert!(
        told.contains("--config is `/no/such/file`; expected a file that can be read") && !told.contains("not set"),
        "{told}"
    );
}
