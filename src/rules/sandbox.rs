//! What a script can touch: the one list, built up from nothing.
//!
//! A script computes; it has no clock, no file, no network, no other script and no way to run for ever. Every limit is
//! set here and set explicitly, because the language's own defaults differ between debug and release builds. What our
//! words may touch beside values is decided here too: nothing.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use rhai::{
    Dynamic, Engine, EvalAltResult, ImmutableString, Position,
    packages::{
        ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, LogicPackage,
        Package,
    },
};

use super::fault::Fault;

/// A script file may have so many bytes; larger ones are refused before they are parsed.
pub(super) const MAX_SCRIPT: usize = 64 * 1024;
/// A text may have so many bytes.
pub(super) const MAX_TEXT: usize = 16 * 1024;
/// A list may have so many items, those of lists inside included.
pub(super) const MAX_LIST: usize = 2_000;

const MAX_MAP: usize = 500;
const MAX_OPERATIONS: u64 = 200_000;
/// The operations are what ends a rule, and end it at the same place every time. The clock is there for operations that
/// take long, and must not end a rule only because the machine is busy with something else.
const MAX_TIME: Duration = Duration::from_secs(2);
/// What one evaluation may write with our words, in bytes, even if each text alone is small.
const MAX_WRITTEN: usize = 8 * 1024 * 1024;
const MAX_CALLS: usize = 16;
const MAX_DEPTH: usize = 32;
const MAX_VARIABLES: usize = 100;
const MAX_FUNCTIONS: usize = 100;
const MAX_MODULES: usize = 32;

/// Words of the language that a rule has no use for, or could do harm with: they do not even parse.
const BANNED: &[&str] = &["eval", "print", "debug", "export", "curry", "Fn", "call", "sleep", "exit", "try", "catch"];

/// What one evaluation has used up so far.
#[derive(Debug)]
pub(super) struct Meter {
    started: Cell<Instant>,
    written: Cell<usize>,
}

impl Meter {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self { started: Cell::new(Instant::now()), written: Cell::new(0) })
    }

    /// Begins an evaluation.
    pub(super) fn start(&self) {
        self.started.set(Instant::now());
        self.written.set(0);
    }

    /// Hands a text to the script, if it may have it.
    pub(super) fn hand_over(&self, text: impl Into<ImmutableString>) -> Result<ImmutableString, Box<EvalAltResult>> {
        let text = text.into();
        self.allow(text.len())?;
        Ok(text)
    }

    /// Asks before a text of so many bytes is made.
    pub(super) fn allow(&self, bytes: usize) -> Result<(), Box<EvalAltResult>> {
        let written = self.written.get().saturating_add(bytes);
        if bytes > MAX_TEXT || written > MAX_WRITTEN {
            return Err(raise(Fault::TooMuch("the rule makes too much text".to_owned())));
        }
        self.written.set(written);
        Ok(())
    }
}

/// A fault on its way out of a script. No script can catch it, because `try` is banned: the errors that the language
/// itself lets nobody catch lose their place on the way.
#[expect(clippy::unnecessary_box_returns, reason = "the language hands its errors on in boxes")]
pub(super) fn raise(fault: Fault) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(fault), Position::NONE))
}

/// An engine that can compute and nothing else; `vocabulary`, `text` and `view` teach it words.
pub(super) fn engine(meter: &Rc<Meter>) -> Engine {
    let mut engine = Engine::new_raw();
    // Not the language core (`sleep`, `exit`), not time, not the strings' own functions (they change in place and some
    // multiply without asking), not those of function pointers.
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    for word in BANNED {
        engine.disable_symbol(*word);
    }
    engine
        .set_max_operations(MAX_OPERATIONS)
        .set_max_call_levels(MAX_CALLS)
        .set_max_expr_depths(MAX_DEPTH, MAX_DEPTH)
        .set_max_string_size(MAX_TEXT)
        .set_max_array_size(MAX_LIST)
        .set_max_map_size(MAX_MAP)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS)
        .set_max_modules(MAX_MODULES)
        // Interning pays where scripts are many and values few; here it is the other way round.
        .set_max_strings_interned(0)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true);
    let meter = Rc::clone(meter);
    engine.on_progress(move |operations| {
        // Looking at the clock costs more than an operation.
        let late = operations % 64 == 0 && meter.started.get().elapsed() > MAX_TIME;
        late.then(|| Dynamic::from(Fault::LimitExceeded("the rule takes too long".to_owned())))
    });
    engine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox() -> Engine {
        engine(&Meter::new())
    }

    #[test]
    fn a_script_cannot_reach_the_clock_the_disk_another_script_or_itself() {
        let engine = sandbox();
        for script in [
            "timestamp()",
            "sleep(1)",
            "exit()",
            "exit(1)",
            "eval(\"1\")",
            "print(1)",
            "debug(1)",
            "import \"x\" as x;",
            "open_file(\"f\")",
            "Fn(\"f\")",
            "let f = |x| x; f.call(1)",
            "let f = |x| x; call(f, 1)",
            "let f = |x| x; f.curry(1)",
            "let f = |x| x; curry(f, 1)",
            "try { throw 1 } catch { }",
            "parse_json(\"{}\")",
            "env(\"HOME\")",
        ] {
            assert!(engine.run(script).is_err(), "`{script}` ran");
        }
    }

    #[test]
    fn a_script_cannot_run_for_ever_or_fill_the_memory() {
        let meter = Meter::new();
        let engine = engine(&meter);
        for script in [
            "loop { }",
            "let x = 0; while true { x += 1; }",
            "let x = 0; for i in 0..1000000000000 { x += i; }",
            "let x = 0; for i in range(0, 1000000000000) { x += 1; }",
            "fn f(x) { f(x + 1) } f(0)",
            "fn f(x) { f(x) + f(x) } f(0)",
            "let s = \"x\"; loop { s += s; }",
            "let s = \"x\"; loop { s = `${s}${s}`; }",
            "let a = [1]; loop { a += a; }",
            "let a = [1]; loop { a.append(a); }",
            "let a = [1]; loop { a = a + a; }",
            "let a = []; a.pad(1000000000, 1);",
            "let a = [\"xxxxxxxxxxxxxxxx\"]; loop { a += a; }",
            "let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }",
            "let x = []; loop { x = [x]; }",
            "let x = #{}; loop { x = #{ a: x }; }",
            "let x = []; loop { x = [#{ a: [x] }]; }",
            "let a = [1, 2]; loop { a.map(|x| x); }",
        ] {
            meter.start();
            let begun = Instant::now();
            assert!(engine.run(script).is_err(), "`{script}` ran");
            assert!(begun.elapsed() < Duration::from_secs(5), "`{script}` took {:?}", begun.elapsed());
        }
    }

    #[test]
    fn brackets_a_thousand_deep_are_refused_and_do_not_overflow_the_stack() {
        let engine = sandbox();
        for (open, close) in [("[", "]"), ("(", ")"), ("{", "}"), ("#{a:", "}"), ("!", ""), ("if true {", "}")] {
            let script = format!("let x = {}1{};", open.repeat(1_000), close.repeat(1_000));
            assert!(engine.compile(&script).is_err(), "`{open}` a thousand times was taken");
        }
    }
}
