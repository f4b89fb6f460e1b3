//! Training on texts of different lengths, padded to the longest and cut behind the longest of each
//! batch: `cargo run --release -p trainbook --example lengths`.
//!
//! 4,000 texts of a made-up language, of 8 to 200 words, half of them below 30; a transformer of two
//! blocks is trained for an epoch, in turn each way, three times.

use std::error::Error;
use std::time::Instant;

use trainbook::prelude::*;
use trainbook::random::Stream;

const ROWS: u64 = 4_000;
const LONGEST: u64 = 200;
const ROUNDS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("texts.csv");
    std::fs::write(&path, made_up())?;
    let data = Dataset::csv(&path)?
        .words("text", Words::new(LONGEST as usize))?
        .target("class")?
        .split(Split::stratified(0.8, 0.1, 0.1), Seed(1))?;
    let mut seconds = [const { Vec::new() }; 2];
    let mut losses = [0.0; 2];
    for _ in 0..ROUNDS {
        for (way, buckets) in [None, Some(Buckets::default())].into_iter().enumerate() {
            let block = layer::TransformerEncoderLayer::new(4, 128);
            let net = Sequential::new()
                .with(layer::Embedding::new(data.vocabulary_size(), 64).padding_index(0))
                .with(block.clone())
                .with(block)
                .position_avg_pool()
                .linear(2);
            let trainer = Trainer::classifier(&data, net).seed(1).batch_size(32).quiet();
            let trainer = match buckets {
                Some(buckets) => trainer.bucket_by_length(buckets),
                None => trainer,
            };
            let mut trainer = trainer.learning_rate(1e-3).build()?;
            let began = Instant::now();
            let run = trainer.fit(Epochs(1))?;
            seconds[way].push(began.elapsed().as_secs_f64());
            losses[way] = run.evaluate(Part::Test)?.loss;
        }
    }
    let [padded, cut] = seconds.each_mut().map(|seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[ROUNDS / 2]
    });
    println!("padded to {LONGEST}: {padded:.2} s an epoch, test loss {:.3}", losses[0]);
    println!("bucketed by length: {cut:.2} s an epoch, test loss {:.3}", losses[1]);
    println!("{:.2} of the time", cut / padded);
    Ok(())
}

/// Two classes of texts, one of which prefers the words with even numbers.
fn made_up() -> String {
    let mut file = "class,text\n".to_owned();
    for row in 0..ROWS {
        let mut draws = Stream::new(Seed(0), "texts").at(0, row);
        let longest = if draws.below(2) == 0 { 30 } else { LONGEST };
        let length = 8 + draws.below(longest - 7);
        let class = row % 2;
        let words = (0..length).map(|_| {
            let word = draws.below(500);
            let even = draws.unit() < 0.6;
            format!("w{}", 2 * word + u64::from(even != (class == 0)))
        });
        let words: Vec<String> = words.collect();
        file += &format!("{},{}\n", ["even", "odd"][class as usize], words.join(" "));
    }
    file
}
