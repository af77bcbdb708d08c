//! Scripts and records by chance: all that is lowered, and a little of what is not.

use std::{cell::Cell, fmt::Write as _, sync::Arc};

use proptest::{prelude::*, test_runner::TestRunner};

use super::{both, header, record, try_load};

/// Choices, one after the other. Where they come to their end, each is the first, which is the simplest.
struct Choices<'a>(std::slice::Iter<'a, u16>);

impl Choices<'_> {
    fn number(&mut self, below: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % below
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.number(of.len())]
    }

    /// True once in so many times.
    fn rarely(&mut self, times: usize) -> bool {
        self.number(times) == times - 1
    }

    fn literal(&mut self) -> &'static str {
        self.one(&[
            "\"a\"",
            "\"\"",
            "\" \"",
            "\"Anna\"",
            "\"ä\"",
            "\"@\"",
            "\",\"",
            "\"2026-11-20\"",
            "\"E-12\"",
            "\"%Y-%m-%d\"",
            "\"Ab\\\"c\\n\"",
            "\"first\"",
            "\"ß\\u00e9\"",
            "`x y`",
            "\"no\"",
            "\"de\"",
        ])
    }

    fn pattern(&mut self) -> &'static str {
        if self.rarely(20) {
            return self.one(&["\"(\"", "WORD", "\"a{1000}{1000}{1000}\""]);
        }
        self.one(&["\"^a\"", "\"([a-z]+)-?([0-9]+)?\"", "\"(^$)|x\"", "\"(?i)(ann)a|ä\"", "\"(a)|(b)\"", "PATTERN"])
    }

    fn text(&mut self, depth: usize) -> String {
        if self.rarely(80) {
            return self.any(depth);
        }
        let leaf = if self.rarely(20) {
            ["()", "'ö'", "row.first?.lower()", "()", "'x'", "b", "it", "row[WORD]", "LIST[2]"]
        } else {
            ["row.first", "row.last", "a", "row.note", "row[\"first\"]", "b", "WORD", "today()", "row.id"]
        };
        if depth == 0 {
            return if self.rarely(3) { self.literal().to_owned() } else { self.one(&leaf).to_owned() };
        }
        let d = depth - 1;
        match self.number(34) {
            0 | 1 => self.one(&leaf).to_owned(),
            2 => self.literal().to_owned(),
            3..=6 => {
                let word = self.one(&["trim", "lower", "upper", "title", "slug", "ascii"]);
                let word = if self.rarely(12) { "to_string" } else { word };
                if self.rarely(4) {
                    format!("{word}({})", self.text(d))
                } else {
                    format!("{}.{word}()", self.receiver(d))
                }
            }
            7..=9 => format!("({} + {})", self.text(d), self.text(d)),
            10 | 11 => format!("`${{{}}} ${{{}}}-${{{}}}`", self.text(d), self.text(d), self.any(d)),
            12 => format!("if {} {{ {} }} else {{ {} }}", self.truth(d), self.text(d), self.text(d)).block(),
            13 if self.rarely(3) => format!("if {} {{ {} }}", self.truth(d), self.text(d)).block(),
            13 => format!(
                "if {} {{ {} }} else if {} {{ {} }} else {{ {} }}",
                self.truth(d),
                self.text(d),
                self.truth(d),
                self.text(d),
                self.text(d)
            )
            .block(),
            14 => format!("{}.or({})", self.receiver(d), self.text(d)),
            15 => format!("{}.before({})", self.receiver(d), self.part(d)),
            16 => format!("{}.after({})", self.receiver(d), self.part(d)),
            17 => format!("{}.replace({}, {})", self.receiver(d), self.part(d), self.part(d)),
            18 => format!("{}.sub_string({}, {})", self.receiver(d), self.count(d), self.count(d)),
            19 => format!("{}.sub_string({})", self.receiver(d), self.count(d)),
            20 => format!("{}.split({})[{}]", self.receiver(d), self.part(d), self.index()),
            21 if self.rarely(6) => format!("TABLE[same({})]", self.text(d)),
            21 | 22 => format!("if {0} in TABLE {{ TABLE[{0}] }} else {{ WORD }}", self.receiver(0)).block(),
            23 => format!("LIST[{}]", self.index()),
            24 => {
                let (of, literal, guard) = (self.any(d), self.literal(), self.truth(d));
                let ways = (self.text(d), self.text(d), self.any(d));
                let rest = if self.rarely(3) { String::new() } else { format!(", _ => {}", self.text(d)) };
                format!(
                    "switch {of} {{ \"Anna\" | {literal} if {guard} => {}, \"Anna\" => {}, 1 | 'a' | () | true => {}{rest} }}",
                    ways.0, ways.1, ways.2
                )
                .block()
            }
            25 => format!("{{ let a = {}; {} a }}", self.text(d), self.statements(d)),
            26 if self.rarely(3) => {
                let changed = format!("{{ {} b }}", self.statements(d));
                format!("either({}, {changed})", self.one(&["b", "row.first", "b.trim()", "a"]))
            }
            26 => format!("keep({})", self.text(d)),
            27 => format!("either({}, {})", self.text(d), self.any(d)),
            28 => format!("name(row, {})", self.text(d)),
            29 => format!("({} ?? {})", self.any(d), self.text(d)),
            30 => format!("{}?.{}()", self.one(&["a", "b", "row.first", "()"]), self.one(&["trim", "lower", "len"])),
            31 => format!("({}.capture({}) ?? [a, \"ä\"])[{}]", self.receiver(d), self.pattern(), self.index()),
            32 if self.rarely(6) => format!("{}.date_or_empty({})", self.receiver(d), self.literal()),
            32 => format!(
                "if {0}.matches(\"^2[0-9]{{3}}-[0-9]{{2}}-11$\") {{ {0}.date(\"%Y-%m-%d\") }}",
                self.receiver(0)
            )
            .block(),
            _ => format!("(\"é\" + {})[{}]", self.text(d), self.index()),
        }
    }

    fn index(&mut self) -> &'static str {
        if self.rarely(8) { self.one(&["n", "-n", "same(a)", "n + 1", "2", "-9"]) } else { self.one(&["0", "1", "-1"]) }
    }

    /// What a method is called on.
    fn receiver(&mut self, depth: usize) -> String {
        if depth == 0 || !self.rarely(3) {
            return self.one(&["row.first", "row.last", "a", "row.note", "b", "WORD", "()", "it.last"]).to_owned();
        }
        format!("({})", self.text(depth - 1))
    }

    fn part(&mut self, depth: usize) -> String {
        match self.number(5) {
            0..=2 => self.literal().to_owned(),
            3 => self.one(&["'a'", "' '", "'ä'"]).to_owned(),
            _ => self.text(depth.saturating_sub(1)),
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        if self.rarely(100) {
            // What is seen not to be one is not even taken by the parser.
            return format!("same({})", self.any(depth));
        }
        if depth == 0 {
            return self.one(&["true", "false", "row.first == \"a\"", "yes", "row.last != \"\""]).to_owned();
        }
        let d = depth - 1;
        let compared = self.one(&["==", "!=", "<", "<=", ">", ">="]);
        match self.number(14) {
            0 | 1 => self.truth(0),
            2 | 3 => format!("({} {compared} {})", self.text(d), self.text(d)),
            4 => format!("({} {compared} {})", self.any(d), self.any(d)),
            5 => format!("({} && {})", self.truth(d), self.truth(d)),
            6 => format!("({} || {} || {})", self.truth(d), self.truth(d), self.truth(d)),
            7 => format!("!{}", self.truth(d)),
            8 => format!(
                "({} {} {})",
                self.any(d),
                self.one(&["in", "!in"]),
                self.one(&["LIST", "TABLE", "[a, \"a\", b]", "WORD"])
            ),
            9 => {
                let word = self.one(&["contains", "starts_with", "ends_with"]);
                format!("{}.{word}({})", self.receiver(d), self.part(d))
            }
            10 => format!("{}.is_blank()", self.receiver(d)),
            11 => format!("{}.matches({})", self.receiver(d), self.pattern()),
            12 => format!("({} {compared} {})", self.count(d), self.count(d)),
            _ => format!("row.has({})", self.literal()),
        }
    }

    fn count(&mut self, depth: usize) -> String {
        if self.rarely(100) {
            return self.one(&["9223372036854775807", "a", "()", "1.5", "(0 - 9223372036854775807)"]).to_owned();
        }
        if depth == 0 {
            return self.one(&["0", "1", "n", "2", "-1", "7", "12345", "LIMIT"]).to_owned();
        }
        let d = depth - 1;
        match self.number(8) {
            0 | 1 => self.count(0),
            2 | 3 => format!("({} {} {})", self.count(d), self.one(&["+", "-", "*", "+", "-"]), self.count(d)),
            6 => format!("({} {} {})", self.count(d), self.one(&["/", "%"]), self.one(&["3", "-2", "n"])),
            4 => format!("{}.{}", self.receiver(d), self.one(&["len()", "len"])),
            5 => format!("-({})", self.count(d)),
            _ => format!("{}.days_until()", self.one(&["\"2027-01-01\"", "today()", "\"2026-02-28\""])),
        }
    }

    fn any(&mut self, depth: usize) -> String {
        let kinds = if self.rarely(10) { 22 } else { 15 };
        match self.number(kinds) {
            0..=7 => self.text(depth.saturating_sub(1)),
            8..=10 => self.truth(depth.saturating_sub(1)),
            11..=13 => self.count(depth.saturating_sub(1)),
            14 => "()".to_owned(),
            15 => "clear()".to_owned(),
            16 => "row".to_owned(),
            17 => format!("[{}, {}]", self.text(0), self.any(0)),
            18 => "LIST".to_owned(),
            19 => "#{ x: 1 }".to_owned(),
            20 => "1.5".to_owned(),
            _ => "row.missing".to_owned(),
        }
    }

    fn statements(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for _ in 0..self.number(4) {
            let d = depth.saturating_sub(1);
            let statement = match self.number(13) {
                0 | 1 => format!("a = {};", self.text(d)),
                2 => format!("a = a.or(\"-\"); a += {};", self.text(d)),
                3 => format!("b = {};", self.text(d)),
                4 => format!("n += {};", self.count(d)),
                5 => format!("let b = {};", self.text(d)),
                10 if self.rarely(3) => format!("b = {};", self.any(d)),
                6 => format!("let a = {};", self.text(d)),
                7 => format!("yes = {};", self.truth(d)),
                8 if depth > 0 => format!("if {} {{ {} }}", self.truth(d), self.statements(d)),
                9 if depth > 0 => {
                    format!("if {} {{ {} }} else {{ {} }}", self.truth(d), self.statements(d), self.statements(d))
                }
                10 if depth > 0 => format!("{{ {} }}", self.statements(d)),
                11 if self.rarely(4) => format!("if {} {{ throw {}; }}", self.truth(d), self.text(d)),
                11 if self.rarely(4) => format!("if {} {{ return; }}", self.truth(d)),
                12 if self.rarely(4) => "for i in 0..2 { n += i; }".to_owned(),
                _ => format!("const c = {};", self.any(d)),
            };
            text.push_str(&statement);
            text.push(' ');
        }
        text
    }

    /// The function of a `source` line.
    fn rule(&mut self) -> String {
        let begin = format!(
            "let it = row; let a = row.first; let b = WORD; let n = 1; let yes = true; \
             let a = {}; let b = {}; let n = {}; let yes = {}; {}",
            self.text(2),
            self.text(1),
            self.count(1),
            self.truth(1),
            self.statements(2)
        );
        let mut said = format!("#{{ key: {}", if self.rarely(12) { self.any(1) } else { "row.id".to_owned() });
        for name in [
            "username",
            "nickname",
            "active",
            "\"gitlab.note\"",
            "cost_center",
            "\"gitlab.is_external\"",
            "\"gitlab.groups\"",
        ] {
            let value = match name {
                "active" => self.truth(2),
                "\"gitlab.is_external\"" if !self.rarely(4) => self.truth(2),
                "\"gitlab.groups\"" if self.rarely(12) => self.any(1),
                "\"gitlab.groups\"" => continue,
                "cost_center" => self.count(2),
                _ if self.rarely(20) => self.any(2),
                _ => self.text(2),
            };
            if !self.rarely(4) {
                let _ = write!(said, ", {name}: {value}");
            }
        }
        said.push_str(" }");
        match self.number(6) {
            0..=2 => format!("|row| {{ {begin} {said} }}"),
            3 => format!("|row| {{ {begin} let said = {said}; if {} {{ return said; }} said }}", self.truth(1)),
            4 => format!(
                "|row| {{ {begin} if {} {{ return {said}; }} {} }}",
                self.truth(1),
                self.one(&["()", "#{ key: a }", "[]"])
            ),
            _ => format!("|row| {{ {begin} if {} {{ {said} }} }}", self.truth(1)),
        }
    }

    fn field(&mut self) -> String {
        let some = [
            "Anna",
            "",
            "a",
            " ",
            "Jürgen Groß",
            "E-12",
            "a,b,c",
            "x@example.org",
            "2026-11-20",
            "b",
            "no",
            "\u{a0}Ä\u{308}ŉ ",
            "first",
            "1",
            "O'Neil-ab12",
            "true",
            "ǅİß",
        ];
        match self.number(40) {
            0 if self.rarely(2) => "ö".repeat(600),
            1 if self.rarely(2) => "long ".repeat(4_000),
            3 => "abc ".repeat(120),
            2 => format!("{} {}", self.one(&some), self.one(&some)),
            _ => self.one(&some).to_owned(),
        }
    }
}

trait Block {
    fn block(self) -> Self;
}

impl Block for String {
    /// As one expression, whatever stands around it.
    fn block(self) -> Self {
        format!("{{ {self} }}")
    }
}

const SHARED: &str = "
const WORD = \"Wort\";
const PATTERN = \"^[A-Z]\";
const LIMIT = 3;
const LIST = [\"Anna\", \"a\", 1, (), true, \"ä\"];
const TABLE = #{ \"Anna\": \"A\", \"a\": 7, \"\": (), \"E-12\": \"x\" };
fn same(it) { it }
fn keep(text) { if text == \"\" { return WORD; } text }
fn either(a, b) { if a.is_blank() { b } else { a = a.trim(); a += '!'; a } }
fn name(row, a) { let it = keep(a) + row.last; it.trim() }
";

#[test]
fn the_walk_and_the_engine_say_the_same_of_any_script_and_any_record() {
    let (scripts, broken, records, good, needless) =
        (Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |cell: &Cell<usize>, one: bool| cell.set(cell.get() + usize::from(one));
    let header = header();
    let cases = std::option_env!("HOMEWARD_MANY").and_then(|many| many.parse().ok()).unwrap_or(120);
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let choices = proptest::collection::vec(any::<u16>(), 0..2_000);
    let ran = runner.run(&choices, |choices| {
        let mut choices = Choices(choices.iter());
        let fields: Vec<Vec<String>> = (0..6)
            .map(|at: usize| {
                let mut fields = vec![if at == 5 { choices.field() } else { at.to_string() }];
                fields.extend((0..3).map(|_| choices.field()));
                fields
            })
            .collect();
        let mut script = SHARED.to_owned();
        for at in 0..6 {
            let _ = writeln!(script, "source(\"s{at}\", {});", choices.rule());
        }
        count(&scripts, true);
        let rules = match try_load(&script) {
            Ok(rules) => rules,
            Err(errors) => {
                count(&broken, true);
                let at = errors[0].origin().map(|at| (at.line, at.column)).unwrap_or_default();
                let line: String =
                    script.lines().nth(at.0 - 1).unwrap_or_default().chars().skip(at.1 - 1).take(60).collect();
                println!("{}: {line}", errors[0]);
                return Ok(());
            }
        };
        for fields in &fields {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let record = record(&Arc::clone(&header), &fields);
            for at in 0..6 {
                let (fast, fine) = both(&rules, &format!("s{at}").as_str().into(), &script, &record);
                count(&records, true);
                count(&good, fine);
                count(&needless, fast);
            }
        }
        Ok(())
    });
    ran.unwrap();
    let told = format!(
        "{} scripts, {} broken; {} records, {} good, {} without the engine",
        scripts.get(),
        broken.get(),
        records.get(),
        good.get(),
        needless.get()
    );
    println!("{told}");
    assert!(broken.get() * 4 < scripts.get(), "{told}");
    assert!(good.get() * 4 > records.get(), "{told}");
    assert!(needless.get() * 2 > good.get(), "{told}");
}
