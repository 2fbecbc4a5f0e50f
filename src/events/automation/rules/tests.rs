//! What a file of automations may say, and what is told of one that says something else.

use super::*;

fn problems(text: &str) -> Vec<String> {
    Rules::read(text).expect_err(text).iter().map(ToString::to_string).collect()
}

fn one(when: &str, rest: &str) -> String {
    format!("[[automation]]\nname = \"welcome\"\nwhen = {when}\n{rest}\n")
}

const NOTE: &str = "then = [{ add_note = { note = \"x\" } }]";

#[test]
fn a_file_with_everything_in_it_is_read() {
    let text = r#"
        [[automation]]
        name = "all"
        when = ["TaskCreate", "TaskComplete"]
        if = 'task.title != "" && contact.tags.size() > 0'
        per_hour = 3
        then = [
          { create_task = { title = "{{ task.title }}", body = "{{ contact.name }}", due_in = "2d", assigned_to = "u1" } },
          { add_note = { note = "{{ event.timestamp }}" } },
          { add_tags = ["a", "{{ contact.source }}"] },
          { remove_tags = ["b"] },
          { complete_task = true },
          { start_workflow = "wf1" },
          { post = { url = "https://x.test/{{ contact.id }}", body = { list = [1, "{{ task.id }}", true], on = 2026-01-01 }, headers = { x-key = "k" } } },
        ]
        [[automation]]
        name = "soon"
        when = { before = "appointment.startTime", by = "24h" }
        then = [{ add_note = { note = "{{ appointment.title }}" } }]
        [[automation]]
        name = "late"
        when = { after = "task.dueDate", by = "1d" }
        then = [{ complete_task = true }]
    "#;
    let Rules(all) = Rules::read(text).expect("rules");
    assert_eq!(all.iter().map(|one| one.then.len()).collect::<Vec<_>>(), [7, 1, 1]);
    assert_eq!(all[0].per_hour, 3);
    assert!(all[0].asks.reads_record() && all[0].tells.reads_contact());
    assert_eq!(Rules::read("").expect("no rules").0.len(), 0);
    let sample = Rules::read(include_str!("../../../../examples/automations.toml")).expect("the sample file");
    assert_eq!(sample.0.len(), 4);
}

#[test]
fn each_mistake_is_told_with_its_automation_and_what_is_expected() {
    let note = |when: &str| one(when, NOTE);
    let then = |action: &str| one("\"NoteCreate\"", &format!("then = [{action}]"));
    let rows: Vec<(String, &str)> = vec![
        (note("\"ContactBorn\""), "`ContactBorn`, which is no event; there are ContactCreate"),
        (note("[\"NoteCreate\", \"x\"]"), "`x`, which is no event"),
        (note("[]"), "`when` is an event"),
        (note("3"), "`when` is an event"),
        (note("{ before = \"contact.name\", by = \"1d\" }"), "there are appointment.startTime"),
        (note("{ before = \"task.dueDate\", by = \"soon\" }"), "`by` is a time"),
        (note("{ before = \"task.dueDate\" }"), "`by` is a time"),
        (note("{ by = \"1d\" }"), "either `before` or `after`"),
        (note("{ after = \"task.dueDate\", by = \"1d\", at = 1 }"), "has `at`"),
        (one("\"NoteCreate\"", &format!("if = 'a in in b'\n{NOTE}")), "`if` is no CEL expression"),
        (one("\"NoteCreate\"", &format!("if = 'contact.nam == 1'\n{NOTE}")), "`if` names `contact.nam`"),
        (one("\"NoteCreate\"", &format!("if = 'task.title == 1'\n{NOTE}")), "`if` names `task`, which is not there"),
        (
            one("[\"NoteCreate\", \"TaskCreate\"]", &format!("if = 'note.note == 1'\n{NOTE}")),
            "there are event, contact",
        ),
        (one("\"NoteCreate\"", &format!("if = 3\n{NOTE}")), "`if` is not a text"),
        (one("\"NoteCreate\"", &format!("iff = 'x'\n{NOTE}")), "has `iff`"),
        (one("\"NoteCreate\"", &format!("per_hour = 0\n{NOTE}")), "`per_hour`"),
        (one("\"NoteCreate\"", ""), "`then` is missing"),
        (then(""), "`then` is missing"),
        (then("{ sing = { note = \"x\" } }"), "`sing`, which is no action; there are create_task"),
        (then("{ add_note = { note = \"x\" }, add_tags = [\"a\"] }"), "a table with one key"),
        (then("\"x\""), "a table with one key"),
        (then("{ add_note = { note = \"\" } }"), "`note` of add_note is empty"),
        (then("{ add_note = { not = \"x\" } }"), "`note` of add_note is missing"),
        (then("{ add_note = { note = \"x\", by = \"y\" } }"), "add_note has `by`"),
        (then("{ add_note = { note = \"{{ x\" } }"), "`note` of add_note is no template"),
        (then("{ add_note = { note = \"{{ contact.nam }}\" } }"), "a template of `then` names `contact.nam`"),
        (then("{ add_note = { note = \"{{ who }}\" } }"), "a template of `then` names `who`"),
        (then("{ create_task = { title = \"x\" } }"), "`due_in` of create_task"),
        (then("{ create_task = { title = \"x\", due_in = \"later\" } }"), "`due_in` of create_task"),
        (then("{ create_task = { title = \"x\", due_in = 3 } }"), "`due_in` of create_task"),
        (then("{ add_tags = [] }"), "add_tags is not a list"),
        (then("{ add_tags = [3] }"), "a tag of add_tags is not a text"),
        (then("{ complete_task = true }"), "needs a `when` that is about tasks"),
        (then("{ complete_task = \"x\" }"), "complete_task is `true`"),
        (then("{ start_workflow = \"../x\" }"), "start_workflow is not the id"),
        (then("{ start_workflow = \"{{ contact.id }}\" }"), "start_workflow is not the id"),
        (then("{ post = { body = 1 } }"), "`url` of post is missing"),
        (then("{ post = { url = \"ftp://x.test/\" } }"), "`url` of post is no http"),
        (then("{ post = { url = \"https://user:pw@x.test/\" } }"), "`url` of post is no http"),
        (then("{ post = { url = \"https://{{ contact.name }}/\" } }"), "`url` of post is no http"),
        (then("{ post = { url = \"https://x{{ contact.name }}\" } }"), "`url` of post is no http"),
        (then("{ post = { url = \"{{ contact.website }}\" } }"), "`url` of post is no http"),
        (then("{ post = { url = \"https://x.test/\", headers = { host = \"x\" } } }"), "`headers` of post"),
        (then("{ post = { url = \"https://x.test/\", headers = { \"a b\" = \"x\" } } }"), "`headers` of post"),
    ];
    for (text, why) in rows {
        let told = problems(&text);
        assert!(told.iter().all(|line| line.starts_with("automation `welcome`: ")), "{told:?}");
        assert!(told.iter().any(|line| line.contains(why)), "{why} in {told:?} of {text}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "[[automation]]\nname = \"a\"\nwhen = \"X\"\nif = '('\nthen = [{ sing = 1 }]\n\
        [[automation]]\nname = \"a\"\nwhen = \"NoteCreate\"\nthen = [{ add_tags = [\"x\"] }]\n[[automation]]\nwhen = 1\nthen = 1\n[other]\n";
    let told = problems(text).join("\n");
    for part in [
        "`X`, which is no event",
        "`if` is no CEL",
        "`sing`",
        "there twice",
        "automation `number 3`: `name`",
        "`when` is an event",
        "has `other`",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(problems("x = [")[0].contains("no TOML") && problems("automation = 3")[0].contains("[[automation]]"));
}

#[test]
fn a_header_is_never_told() {
    let text =
        one("\"NoteCreate\"", "then = [{ post = { url = \"https://x.test/\", headers = { x-a = \"planted\\n\" } } }]");
    assert!(!problems(&text).join("").contains("planted"));
}
