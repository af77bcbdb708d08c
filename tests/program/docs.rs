//! The reference, the definitions for editors and the drawings are what the program prints of itself.

use std::{fs, path::Path};

use crate::common::World;

#[test]
fn the_definitions_that_are_shipped_are_those_of_this_version() {
    let ran = World::new().homeward(&["docs", "--definitions"]);
    let shipped = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/homeward.d.rhai")).unwrap();
    assert!(
        (ran.status, ran.stderr.as_str()) == (0, "") && ran.stdout == shipped,
        "write them again: homeward docs --definitions > rules/homeward.d.rhai"
    );
    for line in ["fn owner(attribute: ?, system: ?, function: Fn) -> ?;", "fn get attribute(change: Change) -> String;"]
    {
        assert!(shipped.contains(line), "{line}");
    }
}

#[test]
fn definitions_for_an_editor_beside_the_rules_are_no_rules() {
    let world = World::example("rename-through-gitlab");
    let definitions = world.homeward(&["docs", "--definitions"]).stdout;
    let world = world.file("rules/homeward.d.rhai", &definitions);
    let ran = world.homeward(&["check"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}

#[test]
fn the_reference_tells_words_types_the_language_and_providers() {
    let page = World::new().homeward(&["docs"]).stdout;
    for part in [
        "| `route` | `(\\|change\\| action)` |",
        "## `change`",
        "| `asked_by` | text |",
        "| `email` | text | The value of `email` that counts, or (). |",
        "| `push` | (list, value) |",
        "| `post_message` | `channel` (the name of a channel: ",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn the_drawing_of_owners_shows_every_line_of_the_rules() {
    let world = World::new()
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\n\
             token = { env = \"GITLAB_TOKEN\" }\n",
        )
        .file(
            "rules/a.rhai",
            "owner(\"username\", \"gitlab\", |person| person.active);\nowner([\"username\", \"email\"], \"hr\");\n\
             copies(\"email\", \"gitlab\");\n",
        );
    insta::assert_snapshot!(world.homeward(&["owners", "--svg"]).stdout, @r#"
    <svg xmlns="http://www.w3.org/2000/svg" width="600" height="136" viewBox="0 0 600 136" role="img">
    <title>Who owns what</title>
    <style>text{font:14px sans-serif;fill:#1f2328;text-anchor:middle;dominant-baseline:central}rect{fill:#f6f8fa;stroke:#59636e}rect.system{fill:#ddf4ff;stroke:#0969da}path{fill:none;stroke:#59636e;stroke-width:1.5}path.may{stroke-dasharray:6 4}path.copy{stroke:#1a7f37}</style>
    <path class="may" d="M96 46 C176 46 176 46 256 46"><title>gitlab may own username (rules/a.rhai:1:1)</title></path>
    <path class="owns" d="M96 90 C176 90 176 46 256 46"><title>hr owns username (rules/a.rhai:2:1)</title></path>
    <path class="owns" d="M96 90 C176 90 176 90 256 90"><title>hr owns email (rules/a.rhai:2:1)</title></path>
    <path class="copy" d="M344 90 C424 90 424 68 504 68"><title>email is copied to gitlab</title></path>
    <rect class="system" x="24" y="32" width="72" height="28" rx="6"/><text x="60" y="46">gitlab</text>
    <rect class="system" x="24" y="76" width="72" height="28" rx="6"/><text x="60" y="90">hr</text>
    <rect class="attribute" x="256" y="76" width="88" height="28" rx="6"/><text x="300" y="90">email</text>
    <rect class="attribute" x="256" y="32" width="88" height="28" rx="6"/><text x="300" y="46">username</text>
    <rect class="system" x="504" y="54" width="72" height="28" rx="6"/><text x="540" y="68">gitlab</text>
    </svg>
    "#);
}
