use rten::*;
use rten_tensor::*;
use std::sync::Arc;
use std::time::*;
fn main() {
    let tok = tokenizers::Tokenizer::from_file(
        "/tmp/models-ref/cache/bge-small-en-v1.5-int8/tokenizer.json",
    )
    .unwrap();
    let m = ModelOptions::with_all_ops()
        .prepack_weights(true)
        .load_file("/tmp/models-ref/cache/bge-small-en-v1.5-int8/model.onnx")
        .unwrap();
    let pools: Vec<Arc<ThreadPool>> = vec![
        Arc::new(ThreadPool::with_num_threads(1)),
        Arc::new(ThreadPool::with_num_threads(2)),
        Arc::new(ThreadPool::with_num_threads(1)),
    ];
    let go = |text: &str, p: &Arc<ThreadPool>| {
        let ids: Vec<i32> =
            tok.encode_fast(text, true).unwrap().get_ids().iter().map(|x| *x as i32).collect();
        let n = ids.len();
        let mk = |d: Vec<i32>| NdTensor::from_data([1, n], d);
        let ins = vec![
            (m.node_id("input_ids").unwrap(), mk(ids).into()),
            (m.node_id("attention_mask").unwrap(), mk(vec![1; n]).into()),
            (m.node_id("token_type_ids").unwrap(), mk(vec![0; n]).into()),
        ];
        let [_r] = m
            .run_n(
                ins,
                [m.node_id("last_hidden_state").unwrap()],
                Some(RunOptions::default().with_thread_pool(Some(p.clone()))),
            )
            .unwrap();
    };
    let q = "Represent this sentence for searching relevant passages: When was the lighthouse at Port Ellery built?";
    let long = format!(
        "{q} {}",
        "In 1893 the harbour of Port Ellery froze and the ferry to the island could not sail. "
            .repeat(5)
    );
    for round in 0..3 {
        for (name, text) in [("q", q), ("p", long.as_str())] {
            for (pi, p) in pools[..2].iter().enumerate() {
                let mut t = vec![];
                for _ in 0..150 {
                    let s = Instant::now();
                    go(text, p);
                    t.push(s.elapsed().as_secs_f64() * 1e3);
                }
                t.sort_by(f64::total_cmp);
                println!(
                    "{round} {name} threads {} p50 {:.2} p95 {:.2} min {:.2}",
                    pi + 1,
                    t[75],
                    t[142],
                    t[0]
                );
            }
        }
    }
    // concurrency 4: two 1-thread pools vs one 2-thread pool
    for (name, ps) in [
        ("2x1", vec![pools[0].clone(), pools[2].clone()]),
        ("1x2", vec![pools[1].clone(), pools[1].clone()]),
    ] {
        let all = std::sync::Mutex::new(vec![]);
        let s0 = Instant::now();
        std::thread::scope(|s| {
            for c in 0..4 {
                let p = ps[c % 2].clone();
                let all = &all;
                let go = &go;
                s.spawn(move || {
                    for _ in 0..60 {
                        let s = Instant::now();
                        go(q, &p);
                        all.lock().unwrap().push(s.elapsed().as_secs_f64() * 1e3);
                    }
                });
            }
        });
        let w = s0.elapsed().as_secs_f64();
        let mut t = all.into_inner().unwrap();
        t.sort_by(f64::total_cmp);
        println!("conc4 {name} p50 {:.2} p95 {:.2} thr {:.0}/s", t[120], t[228], 240.0 / w);
    }
}
