//! What a script can touch: the one list, built up from nothing.
//!
//! A script computes; it has no clock, no file, no network, no other script and no way to run for ever. Every limit is
//! set here and set explicitly, because the language's own defaults differ between debug and release builds. What our
//! words may touch beside values is decided here too: nothing.
//!
//! The language bounds each value and counts no sum. So the [`Meter`] counts one: whatever a script gets from a variable
//! may be a copy of it, and is charged as one. What else can make a large value out of small ones is a word of ours or of
//! the list of `native`s below, and asks the meter too. All values of one evaluation together, dead or alive, are thereby
//! smaller than a small multiple of [`MAX_COPIED`], and none is nested deeper than a stack can bear.

use std::{
    cell::{Cell, RefCell},
    cmp::Ordering,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::{Duration, Instant},
};

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, NativeCallContext, Position,
    packages::{
        ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, LogicPackage,
        Package,
    },
};
use rustix::time::{ClockId, clock_gettime};

use super::fault::{Fault, type_name};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// A script file may have so many bytes; larger ones are refused before they are parsed.
pub(super) const MAX_SCRIPT: usize = 64 * 1024;
/// So many scripts are loaded: each has an engine of its own, which takes a fifth of a mebibyte.
pub(super) const MAX_SCRIPTS: usize = 300;
/// A text may have so many bytes.
pub(super) const MAX_TEXT: usize = 16 * 1024;
/// A list may have so many items, those of lists inside included.
pub(super) const MAX_LIST: usize = 2_000;

/// A map may have so many entries, those of maps inside included.
pub(super) const MAX_MAP: usize = 500;
/// How many operations one evaluation may take, those of functions that the language's own call back included: it forgets
/// those where it counts by itself.
const MAX_OPERATIONS: u64 = 100_000;
/// The operations are what ends a rule, and end it at the same place every time. The clock is there for operations that
/// take long, and must not end a rule only because the machine is busy with something else: once so much time has passed,
/// an evaluation may take so much of the processor's time as well.
const MAX_TIME: Duration = Duration::from_secs(1);
/// What one evaluation may write with our words, in bytes, even if each text alone is small.
const MAX_WRITTEN: usize = 8 * 1024 * 1024;
/// How much of its values one evaluation may look at and copy, in bytes as [`weight`] counts them.
const MAX_COPIED: usize = 64 * 1024 * 1024;
/// How deep lists and maps may lie in each other. Dropping, comparing and printing a value goes down as deep on the stack.
const MAX_NESTING: usize = 64;
/// Texts up to this size are not charged: they are shared and not copied.
const SMALL_TEXT: usize = 256;
/// A call may have so many arguments: while they are worked out, each of them is a value that lies ready.
pub(super) const MAX_ARGUMENTS: usize = 8;
/// A constant of so many bytes can be asked for as `global::NAME`, which is not charged; larger ones by their plain name.
pub(super) const MAX_UNCHARGED: usize = 4 * 1024;
/// A constant of a module may have so many.
pub(super) const MAX_HELD: usize = 64 * 1024;
/// How many declarations one script may make.
pub(super) const MAX_DECLARATIONS: usize = 2_000;
const MAX_CALLS: usize = 16;
const MAX_DEPTH: usize = 32;
const MAX_VARIABLES: usize = 100;
const MAX_FUNCTIONS: usize = 100;
const MAX_MODULES: usize = 32;

/// Words of the language that a rule has no use for, or could do harm with: they do not even parse.
const BANNED: &[&str] =
    &["eval", "print", "debug", "export", "curry", "Fn", "call", "sleep", "exit", "try", "catch", "this"];

/// What one evaluation has used up so far.
#[derive(Debug)]
pub(super) struct Meter {
    started: Cell<Instant>,
    /// What the thread had taken of the processor when [`MAX_TIME`] was seen to be over.
    late: Cell<Option<Duration>>,
    operations: Cell<u64>,
    written: Cell<usize>,
    copied: Cell<usize>,
    compiled: Cell<usize>,
    /// What the constants weigh that functions see by their plain name.
    constants: RefCell<BTreeMap<String, usize>>,
}

impl Meter {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            started: Cell::new(Instant::now()),
            late: Cell::new(None),
            operations: Cell::new(0),
            written: Cell::new(0),
            copied: Cell::new(0),
            compiled: Cell::new(0),
            constants: RefCell::default(),
        })
    }

    /// Makes the weight of a constant known.
    pub(super) fn know_constant(&self, name: &str, weight: usize) {
        self.constants.borrow_mut().insert(name.to_owned(), weight);
    }

    /// Begins an evaluation.
    pub(super) fn start(&self) {
        self.started.set(Instant::now());
        self.late.set(None);
        self.operations.set(0);
        self.written.set(0);
        self.copied.set(0);
        self.compiled.set(0);
    }

    /// Counts an operation.
    fn step(&self) -> Result<(), Fault> {
        let operations = self.operations.get() + 1;
        self.operations.set(operations);
        if operations > MAX_OPERATIONS {
            return Err(Fault::LimitExceeded("the rule does not come to an end".to_owned()));
        }
        // Looking at the clock costs more than an operation.
        if operations.is_multiple_of(64) && self.is_overdue() {
            return Err(too_long());
        }
        Ok(())
    }

    fn is_overdue(&self) -> bool {
        if self.started.get().elapsed() <= MAX_TIME {
            return false;
        }
        // Asked only now, as the time of a thread costs a call of the system.
        let taken = clock_gettime(ClockId::ThreadCPUTime);
        let taken = Duration::try_from(taken).unwrap_or(Duration::MAX);
        let before = self.late.get().unwrap_or(taken);
        self.late.set(Some(before));
        taken.saturating_sub(before) > MAX_TIME
    }

    /// Fails where the evaluation has taken too long.
    pub(super) fn in_time(&self) -> Answer<()> {
        if self.is_overdue() { Err(raise(too_long())) } else { Ok(()) }
    }

    /// Counts patterns that had to be compiled.
    pub(super) fn compiled(&self, bytes: usize, most: usize) -> Answer<()> {
        self.compiled.set(self.compiled.get().saturating_add(bytes));
        if self.compiled.get() > most {
            return Err(raise(Fault::LimitExceeded("the rule makes too many patterns".to_owned())));
        }
        Ok(())
    }

    /// Asks before values of so many bytes are made.
    pub(super) fn charge(&self, bytes: usize) -> Answer<()> {
        let copied = self.copied.get().saturating_add(bytes);
        self.copied.set(copied);
        if copied > MAX_COPIED {
            return Err(raise(Fault::TooMuch("the rule copies too much: what it works with is too large".to_owned())));
        }
        Ok(())
    }

    /// Charges a value for being copied, so many times.
    fn charge_copies(&self, value: &Dynamic, times: usize) -> Answer<()> {
        let weight = weight(value).ok_or_else(|| {
            raise(Fault::TooMuch(format!("lists and maps lie in each other more than {MAX_NESTING} deep")))
        })?;
        self.charge(weight.saturating_mul(times))
    }

    /// Charges what stands behind a name that a script says.
    fn charge_variable(&self, name: &str, value: Option<&Dynamic>) -> Answer<()> {
        match value {
            Some(value) => self.charge_copies(value, 1),
            None => match self.constants.borrow().get(name) {
                Some(weight) => self.charge(*weight),
                None => Ok(()),
            },
        }
    }

    /// Hands a text to the script, if it may have it.
    pub(super) fn hand_over(&self, text: impl Into<ImmutableString>) -> Answer<ImmutableString> {
        let text = text.into();
        self.allow(text.len())?;
        Ok(text)
    }

    /// Asks before a text of so many bytes is made.
    pub(super) fn allow(&self, bytes: usize) -> Answer<()> {
        let written = self.written.get().saturating_add(bytes);
        if bytes > MAX_TEXT || written > MAX_WRITTEN {
            return Err(raise(Fault::TooMuch("the rule makes too much text".to_owned())));
        }
        self.written.set(written);
        Ok(())
    }
}

fn too_long() -> Fault {
    Fault::LimitExceeded("the rule takes too long".to_owned())
}

/// About how many bytes a copy of a value takes beside the value itself; `None` where it is nested too deeply.
pub(super) fn weight(value: &Dynamic) -> Option<usize> {
    weight_at(value, MAX_NESTING)
}

fn weight_at(value: &Dynamic, depth: usize) -> Option<usize> {
    // A value by itself is a word or two; a list has a head of its own; a map has nodes that are half empty, and keys.
    const VALUE: usize = 16;
    const HEAD: usize = 128;
    const NODE: usize = 480;
    const ENTRY: usize = 96;
    if let Ok(text) = value.as_immutable_string_ref() {
        return Some(if text.len() > SMALL_TEXT { text.len() } else { 0 });
    }
    if let Ok(list) = value.as_array_ref() {
        let depth = depth.checked_sub(1)?;
        return list.iter().try_fold(HEAD, |sum, item| Some(sum + VALUE + weight_at(item, depth)?));
    }
    if let Ok(map) = value.as_map_ref() {
        let depth = depth.checked_sub(1)?;
        return map
            .iter()
            .try_fold(HEAD + NODE, |sum, (key, item)| Some(sum + ENTRY + key.len() + weight_at(item, depth)?));
    }
    Some(0)
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
    natives(&mut engine, meter);
    let own = Rc::clone(meter);
    #[expect(
        deprecated,
        reason = "not deprecated, but marked so to say that it may change with the language's version"
    )]
    engine.on_var(move |name, _, context| {
        own.charge_variable(name, context.scope().get(name))?;
        Ok(None)
    });
    let own = Rc::clone(meter);
    engine.on_progress(move |_| own.step().err().map(Dynamic::from));
    engine
}

/// Takes the place of the language's own functions that make one value into many, and of those that sort: they hide the
/// errors of functions they call, and where those contradict themselves, they panic.
fn natives(engine: &mut Engine, meter: &Rc<Meter>) {
    let own = Rc::clone(meter);
    engine.register_fn("pad", move |list: &mut Array, length: INT, item: Dynamic| -> Answer<()> {
        let length = usize::try_from(length).unwrap_or(0);
        if length > MAX_LIST {
            return Err(raise(Fault::TooMuch(format!("a list may have {MAX_LIST} items"))));
        }
        if length > list.len() {
            own.charge_copies(&item, length - list.len())?;
            list.resize(length, item);
        }
        Ok(())
    });
    for name in ["sort", "sort_by"] {
        engine.register_fn(name, |context: NativeCallContext<'_>, list: &mut Array, order: FnPtr| -> Answer<()> {
            *list = sorted(list.clone(), &mut |a, b| asked(&context, &order, a, b))?;
            Ok(())
        });
    }
    for name in ["order", "order_by"] {
        engine.register_fn(name, |context: NativeCallContext<'_>, list: Array, order: FnPtr| {
            sorted(list, &mut |a, b| asked(&context, &order, a, b))
        });
    }
    engine.register_fn("sort", |list: &mut Array| -> Answer<()> {
        *list = sorted(list.clone(), &mut by_nature)?;
        Ok(())
    });
    engine.register_fn("sort_desc", |list: &mut Array| -> Answer<()> {
        *list = sorted(list.clone(), &mut |a, b| by_nature(b, a))?;
        Ok(())
    });
    engine.register_fn("order", |list: Array| sorted(list, &mut by_nature));
    engine.register_fn("order_desc", |list: Array| sorted(list, &mut |a, b| by_nature(b, a)));
    engine.register_fn("dedup", |context: NativeCallContext<'_>, list: &mut Array, same: FnPtr| -> Answer<()> {
        let mut kept = Array::new();
        for item in std::mem::take(list) {
            let again = match kept.last() {
                Some(last) => same.call_within_context::<bool>(&context, (Dynamic::clone(last), item.clone()))?,
                None => false,
            };
            if !again {
                kept.push(item);
            }
        }
        *list = kept;
        Ok(())
    });
}

/// A list in order, equal items as they stood. It asks as often as it must and believes every answer, so an order that
/// contradicts itself ends in some order.
fn sorted(list: Array, order: &mut impl FnMut(&Dynamic, &Dynamic) -> Answer<Ordering>) -> Answer<Array> {
    let mut runs: VecDeque<Array> = list.into_iter().map(|item| vec![item]).collect();
    while runs.len() > 1 {
        let mut merged = VecDeque::with_capacity(runs.len().div_ceil(2));
        while let Some(first) = runs.pop_front() {
            let (mut first, mut second) =
                (first.into_iter().peekable(), runs.pop_front().into_iter().flatten().peekable());
            let mut run = Array::with_capacity(first.len());
            while let (Some(a), Some(b)) = (first.peek(), second.peek()) {
                let later = order(a, b)?.is_gt();
                run.extend(if later { second.next() } else { first.next() });
            }
            run.extend(first);
            run.extend(second);
            merged.push_back(run);
        }
        runs = merged;
    }
    Ok(runs.pop_front().unwrap_or_default())
}

/// What a function of the script says of two items: below zero or true where the first comes first.
fn asked(context: &NativeCallContext<'_>, order: &FnPtr, a: &Dynamic, b: &Dynamic) -> Answer<Ordering> {
    let said: Dynamic = order.call_within_context(context, (a.clone(), b.clone()))?;
    if let Ok(number) = said.as_int() {
        return Ok(number.cmp(&0));
    }
    said.as_bool().map(|first| if first { Ordering::Less } else { Ordering::Greater }).map_err(|_| {
        let (what, got) = ("what a function that sorts returns".to_owned(), type_name(said.type_name()));
        raise(Fault::WrongType { what, wanted: "a number, or true or false".to_owned(), got })
    })
}

/// The order of numbers, of texts, of characters and of truth values.
fn by_nature(a: &Dynamic, b: &Dynamic) -> Answer<Ordering> {
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Ok(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return Ok(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_float(), b.as_float()) {
        return Ok(a.total_cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_char(), b.as_char()) {
        return Ok(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return Ok(a.cmp(&b));
    }
    let got = format!("{} and {}", type_name(a.type_name()), type_name(b.type_name()));
    let (what, wanted) = ("what is sorted".to_owned(), "all numbers or all text".to_owned());
    Err(raise(Fault::WrongType { what, wanted, got }))
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
            // That it comes back at all is what is looked at: how soon depends on who else uses the machine.
            assert!(engine.run(script).is_err(), "`{script}` ran");
        }
    }

    #[test]
    fn lists_are_sorted_whatever_the_order_says_and_its_errors_are_heard() {
        let meter = Meter::new();
        let engine = engine(&meter);
        let say = |script: &str| {
            meter.start();
            engine.eval::<Dynamic>(script).map(|it| it.to_string())
        };
        for (script, sorted) in [
            ("let a = [3, 1, 2]; a.sort(); a", "[1, 2, 3]"),
            ("let a = [3, 1, 2]; a.sort_desc(); a", "[3, 2, 1]"),
            ("[`b`, `a`].order()", "[\"a\", \"b\"]"),
            ("['b', 'a'].order_desc()", "['b', 'a']"),
            ("[true, false].order()", "[false, true]"),
            ("[0.5, -1.5].order()", "[-1.5, 0.5]"),
            ("let a = [[2, 1], [1, 1], [1, 2]]; a.sort(|a, b| a[0] - b[0]); a", "[[1, 1], [1, 2], [2, 1]]"),
            ("[1, 2, 3].order_by(|a, b| a > b)", "[3, 2, 1]"),
            ("let a = [1, 3, 5, 2]; a.dedup(|a, b| a % 2 == b % 2); a", "[1, 2]"),
            ("let a = []; for i in 0..500 { a.push(i * 7919 % 501); } a.sort(|a, b| a * b % 3 - 1); a.len()", "500"),
            ("let a = []; for i in 0..500 { a.push(0.0 / 0.0); a.push(1.5); } a.sort(); a.len()", "1000"),
        ] {
            assert_eq!(say(script).unwrap(), sorted, "{script}");
        }
        for script in [
            "[1, 2].order(|a, b| 1 / 0)",
            "let a = [1, 2]; a.dedup(|a, b| 1 / 0)",
            "[1, 2].order(|a, b| `x`)",
            "[1, `x`].order()",
            "[[], []].order()",
        ] {
            assert!(say(script).is_err(), "{script}");
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
