//! A short run without a fuzzer: seeds with some bytes changed. The run knows nothing of the code, and takes a second
//! for each target, always with the same changes. `FUZZ_SECONDS` makes it longer, `FUZZ_SEED` changes other bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use fuzzing::{TARGETS, Target};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn number<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn changed_seeds_keep_the_promises() {
    let seed: u64 = number("FUZZ_SEED").unwrap_or(1);
    let time = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(1));
    println!("FUZZ_SEED={seed}");
    for target in TARGETS {
        let mut chance = StdRng::seed_from_u64(seed);
        let seeds = seeds(target);
        let (end, mut runs) = (Instant::now() + time, 0_u32);
        while Instant::now() < end {
            let input = changed(&seeds, &mut chance);
            run(target, &input);
            runs += 1;
        }
        println!("{}: {runs} inputs", target.name);
    }
}

fn seeds(target: Target) -> Vec<Vec<u8>> {
    let files = fs::read_dir(fuzz().join("seeds").join(target.name)).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Runs a target. An input that breaks a promise is kept, as libFuzzer does.
fn run(target: Target, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.holds)(input))).is_err() {
        let folder = fuzz().join("artifacts").join(target.name);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("changed-seed-{}", input.len()));
        fs::write(&path, input).unwrap();
        panic!("{}: a promise is broken by {}", target.name, path.display());
    }
}

fn changed(seeds: &[Vec<u8>], chance: &mut StdRng) -> Vec<u8> {
    let mut input = seeds.choose(chance).cloned().unwrap_or_default();
    for _ in 0..chance.random_range(1..6) {
        let at = chance.random_range(0..=input.len());
        let end = (at + chance.random_range(0..16)).min(input.len());
        match chance.random_range(0..6) {
            0 => input.insert(at, chance.random()),
            1 => drop(input.drain(at..end)),
            2 => input.extend_from_within(at..end),
            3 => input[at..end].fill(chance.random()),
            4 => drop(input.splice(at..at, part(seeds, chance))),
            _ => input[at..end]
                .iter_mut()
                .take(1)
                .for_each(|byte| *byte ^= 1 << chance.random_range(0..8)),
        }
    }
    input
}

/// A piece of some seed.
fn part(seeds: &[Vec<u8>], chance: &mut StdRng) -> Vec<u8> {
    let seed = seeds.choose(chance).cloned().unwrap_or_default();
    let at = chance.random_range(0..=seed.len());
    let end = (at + chance.random_range(0..64)).min(seed.len());
    seed[at..end].to_vec()
}
