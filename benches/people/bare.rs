//! What the map stage is held against: the CSV library alone, and the language of rules with its limits and nothing else.

use std::{cell::Cell, fs::File, io::Read as _, path::Path, rc::Rc, time::Duration, time::Instant};

use rhai::{
    CallFnOptions, Dynamic, Engine, FnPtr, ImmutableString, Map, Scope,
    packages::{ArithmeticPackage, BasicArrayPackage, BasicMapPackage, LogicPackage, Package},
};

/// Reads every byte of a file; how many there are.
pub(crate) fn file(path: &Path) -> u64 {
    let mut file = File::open(path).unwrap();
    let (mut buffer, mut sum) = (vec![0; 64 << 10], 0);
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return sum,
            read => sum += read as u64,
        }
    }
}

/// Reads every record; how many fields there are.
pub(crate) fn csv(path: &Path) -> u64 {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let (mut record, mut fields) = (csv::StringRecord::new(), 0);
    while reader.read_record(&mut record).unwrap() {
        fields += record.len() as u64;
    }
    fields
}

/// What the function says of everybody, in order.
pub(crate) const NAMES: [&str; 8] =
    ["active", "department", "display_name", "email", "first_name", "last_name", "position", "username"];

/// The sum over what came of a row, of which `write` writes the value of each name: any order of rows gives the same.
pub(crate) fn row_sum(key: &str, write: impl Fn(usize, &mut String)) -> u64 {
    let mut line = key.to_owned();
    for at in 0..NAMES.len() {
        line.push('|');
        write(at, &mut line);
    }
    u64::from(adler32(line.as_bytes()))
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = a + u32::from(*byte);
        (a, b + a)
    });
    // Rows are short: neither sum can pass 32 bits before it is brought back.
    ((b % 65_521) << 16) | (a % 65_521)
}

#[derive(Clone)]
struct Row(Rc<csv::StringRecord>);

/// Calls the function for every row, on so many threads with an engine each; the sum over what came of them.
pub(crate) fn rhai(path: &Path, function: &str, threads: usize) -> u64 {
    let mut reader = csv::ReaderBuilder::new().from_path(path).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    if threads == 1 {
        let mapper = Mapper::new(&header, function);
        let records = reader.into_records();
        return records.fold(0_u64, |sum, record| sum.wrapping_add(mapper.row(record.unwrap())));
    }
    std::thread::scope(|scope| {
        let (senders, workers): (Vec<_>, Vec<_>) = (0..threads)
            .map(|_| {
                let (sender, rows) = std::sync::mpsc::sync_channel::<Vec<csv::StringRecord>>(8);
                let worker = scope.spawn(|| {
                    let mapper = Mapper::new(&header, function);
                    rows.into_iter().flatten().fold(0, |sum: u64, row| sum.wrapping_add(mapper.row(row)))
                });
                (sender, worker)
            })
            .unzip();
        let mut records = reader.into_records().map(Result::unwrap);
        for sender in senders.iter().cycle() {
            let batch: Vec<csv::StringRecord> = records.by_ref().take(1_024).collect();
            if batch.is_empty() {
                break;
            }
            sender.send(batch).unwrap();
        }
        drop(senders);
        workers.into_iter().fold(0_u64, |sum, worker| sum.wrapping_add(worker.join().unwrap()))
    })
}

/// An engine with limits, and the function.
struct Mapper {
    engine: Engine,
    ast: rhai::AST,
    name: String,
    started: Rc<Cell<Instant>>,
}

impl Mapper {
    fn new(header: &[String], function: &str) -> Self {
        let mut engine = Engine::new_raw();
        ArithmeticPackage::new().register_into_engine(&mut engine);
        LogicPackage::new().register_into_engine(&mut engine);
        BasicArrayPackage::new().register_into_engine(&mut engine);
        BasicMapPackage::new().register_into_engine(&mut engine);
        engine
            .set_max_operations(100_000)
            .set_max_call_levels(16)
            .set_max_expr_depths(32, 32)
            .set_max_string_size(16 << 10)
            .set_max_array_size(2_000)
            .set_max_map_size(500)
            .set_max_variables(100)
            .set_max_functions(100)
            .set_max_modules(0)
            .set_max_strings_interned(0)
            .set_strict_variables(true)
            .set_fail_on_invalid_map_property(true);
        let started = Rc::new(Cell::new(Instant::now()));
        let own = Rc::clone(&started);
        engine.on_progress(move |operations| {
            let late = operations % 64 == 0 && own.get().elapsed() > Duration::from_secs(1);
            late.then(|| "late".into())
        });
        engine.register_fn("trim", |text: &str| ImmutableString::from(text.trim()));
        engine.register_fn("lower", |text: &str| ImmutableString::from(text.to_lowercase()));
        for (at, column) in header.iter().enumerate() {
            engine.register_get(column, move |row: &mut Row| ImmutableString::from(row.0.get(at).unwrap_or_default()));
        }
        let ast = engine.compile(function).unwrap();
        let pointer: FnPtr = engine.eval_ast(&ast).unwrap();
        Self { name: pointer.fn_name().to_owned(), engine, ast, started }
    }

    fn row(&self, record: csv::StringRecord) -> u64 {
        self.started.set(Instant::now());
        let options = CallFnOptions::new().eval_ast(false);
        let row = Dynamic::from(Row(Rc::new(record)));
        let said: Map = self
            .engine
            .call_fn_with_options(options, &mut Scope::new(), &self.ast, self.name.as_str(), (row,))
            .unwrap();
        let text = |name: &str| said.get(name).map(ToString::to_string).unwrap_or_default();
        row_sum(&text("key"), |at, line| line.push_str(&text(NAMES[at])))
    }
}
