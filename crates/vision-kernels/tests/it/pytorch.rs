//! The kernels against PyTorch: fixtures of scripts/make_kernel_fixtures.py.

use serde_json::Value;
use vision_kernels::activation::{Activation, relu, relu_backward, relu6, relu6_backward};
use vision_kernels::adam::Adam;
use vision_kernels::batch_norm::{
    BatchNorm, Forward, Stats, batch_norm_backward, batch_norm_eval, batch_norm_eval_backward,
    batch_norm_train,
};
use vision_kernels::conv::{
    Algorithm, ConvShape, Epilogue, PackedWeights, conv2d_backward_input_packed,
    conv2d_backward_weight_by, conv2d_packed,
};
use vision_kernels::depthwise::{
    DepthwiseShape, depthwise, depthwise_backward_input, depthwise_backward_weight,
};
use vision_kernels::global_pool::{concat_pool, concat_pool_backward};
use vision_kernels::pool::{
    Activations, MaxPool, MeanPool, max_pool, max_pool_backward, mean_windows,
    mean_windows_backward,
};

use crate::support::{ISAS, close};

/// The cases of one kernel.
fn cases(kernel: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../fixtures/memory.json")).unwrap();
    all[kernel].as_array().unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn exact(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    exact(value).into_iter().map(|v| v as f32).collect()
}

fn integers(value: &Value) -> Vec<usize> {
    exact(value).into_iter().map(|v| v as usize).collect()
}

fn activations(value: &Value) -> Activations {
    let shape = integers(value);
    Activations {
        batch: shape[0],
        height: shape[1],
        width: shape[2],
        channels: shape[3],
    }
}

#[test]
fn batch_norm_with_residual_and_relu_is_pytorchs_in_both_modes_and_directions() {
    let cases = cases("batch_norm");
    assert_eq!(cases.len(), 8);
    for (case, isa) in cases.iter().flat_map(|case| ISAS.map(|isa| (case, isa))) {
        let args = BatchNorm {
            channels: case["channels"].as_u64().unwrap() as usize,
            eps: number(&case["eps"]) as f32,
            activation: case["relu"].as_bool().unwrap().then_some(Activation::Relu),
        };
        let [x, gamma, beta, dy] = ["x", "gamma", "beta", "dy"].map(|name| floats(&case[name]));
        let residual = (!case["residual"].is_null()).then(|| floats(&case["residual"]));
        let residual = residual.as_deref();
        let (mut y, mut dx) = (vec![7.0; x.len()], vec![7.0; x.len()]);
        let mut dresidual = residual.map(|residual| vec![7.0; residual.len()]);
        let train = case["train"].as_bool().unwrap();
        let stats = if train {
            batch_norm_train(isa, &args, &x, [&gamma, &beta], residual, &mut y).unwrap()
        } else {
            let [mean, var] = ["running_mean", "running_var"].map(|name| floats(&case[name]));
            let stats = Stats::from_running(&mean, &var, args.eps).unwrap();
            batch_norm_eval(isa, &args, &x, [&gamma, &beta], &stats, residual, &mut y).unwrap();
            stats
        };
        // Means of up to 30 with deviations of 2: PyTorch itself keeps no more digits.
        close("y", &y, &exact(&case["y"]), 3e-6);
        let forward = Forward {
            x: &x,
            y: residual.map(|_| y.as_slice()),
            gamma: &gamma,
            beta: &beta,
            stats: &stats,
        };
        let backward = if train {
            batch_norm_backward
        } else {
            batch_norm_eval_backward
        };
        let grads = backward(isa, &args, &forward, &dy, &mut dx, dresidual.as_deref_mut()).unwrap();
        close("dx", &dx, &exact(&case["dx"]), 3e-6);
        close("dgamma", &grads.gamma, &exact(&case["dgamma"]), 3e-6);
        close("dbeta", &grads.beta, &exact(&case["dbeta"]), 3e-6);
        if let Some(dresidual) = dresidual {
            close("dresidual", &dresidual, &exact(&case["dresidual"]), 1e-7);
        }
    }
}

#[test]
fn max_pooling_of_ties_nan_and_infinity_is_pytorchs() {
    let cases = cases("max_pool");
    assert_eq!(cases.len(), 5);
    for (case, isa) in cases.iter().flat_map(|case| ISAS.map(|isa| (case, isa))) {
        let side = |name: &str| [case[name].as_u64().unwrap() as usize; 2];
        let pool = MaxPool {
            kernel: side("kernel"),
            stride: side("stride"),
            padding: side("padding"),
            ceil_mode: case["ceil_mode"].as_bool().unwrap(),
        };
        let input = activations(&case["shape"]);
        let output = pool.output(&input).unwrap();
        let (x, dy, expected) = (floats(&case["x"]), floats(&case["dy"]), exact(&case["y"]));
        assert_eq!(output.elements(), expected.len(), "the shape of the output");
        let (mut y, mut argmax) = (vec![7.0; dy.len()], vec![7; dy.len()]);
        max_pool(isa, &pool, &input, &x, &mut y, Some(&mut argmax)).unwrap();
        close("y", &y, &expected, 0.0);
        // PyTorch counts within the image, this crate within the window.
        for (i, (&place, pixel)) in argmax.iter().zip(integers(&case["index"])).enumerate() {
            let window = i / input.channels;
            let (row, column) = (window / output.width % output.height, window % output.width);
            let (place, [kernel, stride, padding]) = (
                place as usize,
                [pool.kernel[1], pool.stride[1], pool.padding[1]],
            );
            let row = row * stride + place / kernel - padding;
            let column = column * stride + place % kernel - padding;
            assert_eq!(row * input.width + column, pixel, "{i}");
        }
        let mut dx = vec![7.0; x.len()];
        max_pool_backward(isa, &pool, &input, &dy, &argmax, &mut dx).unwrap();
        close("dx", &dx, &exact(&case["dx"]), 1e-6);
    }
}

#[test]
fn concat_pooling_is_pytorchs() {
    for (case, isa) in cases("concat_pool")
        .iter()
        .flat_map(|case| ISAS.map(|isa| (case, isa)))
    {
        let input = activations(&case["shape"]);
        let (x, dy) = (floats(&case["x"]), floats(&case["dy"]));
        let (mut y, mut argmax) = (vec![7.0; dy.len()], vec![7; dy.len() / 2]);
        concat_pool(isa, &input, &x, &mut y, &mut argmax).unwrap();
        close("y", &y, &exact(&case["y"]), 1e-6);
        let places: Vec<usize> = argmax.iter().map(|&place| place as usize).collect();
        assert_eq!(places, integers(&case["index"]));
        let mut dx = vec![7.0; x.len()];
        concat_pool_backward(isa, &input, &dy, &argmax, &mut dx).unwrap();
        close("dx", &dx, &exact(&case["dx"]), 1e-6);
    }
}

#[test]
fn three_steps_of_adam_are_those_of_pytorchs_adamw() {
    for (case, isa) in cases("adam")
        .iter()
        .flat_map(|case| ISAS.map(|isa| (case, isa)))
    {
        let mut p = floats(&case["p"]);
        let (mut m, mut v) = (vec![0.0; p.len()], vec![0.0; p.len()]);
        let betas = exact(&case["betas"]);
        for (step, expected) in (1..).zip(case["steps"].as_array().unwrap()) {
            let adam = Adam {
                lr: number(&case["lr"]),
                beta1: betas[0],
                beta2: betas[1],
                eps: number(&case["eps"]),
                weight_decay: number(&case["weight_decay"]),
                step,
            };
            adam.step(isa, &mut p, &floats(&expected["g"]), &mut m, &mut v)
                .unwrap();
            close("p", &p, &exact(&expected["p"]), 1e-6);
            close("m", &m, &exact(&expected["m"]), 1e-6);
            close("v", &v, &exact(&expected["v"]), 1e-6);
        }
    }
}

#[test]
fn relu_of_what_is_not_a_number_is_pytorchs() {
    for (case, isa) in cases("relu")
        .iter()
        .flat_map(|case| ISAS.map(|isa| (case, isa)))
    {
        let x = floats(&case["x"]);
        let (mut y, mut dx) = (vec![7.0; x.len()], vec![7.0; x.len()]);
        relu(isa, &x, &mut y).unwrap();
        close("y", &y, &exact(&case["y"]), 0.0);
        relu_backward(isa, &y, &vec![1.0; x.len()], &mut dx).unwrap();
        close("dx", &dx, &exact(&case["dx"]), 0.0);
    }
}

#[test]
fn relu6_of_what_is_not_a_number_is_pytorchs() {
    for (case, isa) in cases("relu6")
        .iter()
        .flat_map(|case| ISAS.map(|isa| (case, isa)))
    {
        let x = floats(&case["x"]);
        let (mut y, mut dx) = (vec![7.0; x.len()], vec![7.0; x.len()]);
        relu6(isa, &x, &mut y).unwrap();
        close("y", &y, &exact(&case["y"]), 1e-7);
        relu6_backward(isa, &y, &vec![1.0; x.len()], &mut dx).unwrap();
        close("dx", &dx, &exact(&case["dx"]), 0.0);
    }
}

#[test]
fn means_of_windows_are_pytorchs() {
    let cases = cases("mean_windows");
    assert_eq!(cases.len(), 4);
    for (case, isa) in cases.iter().flat_map(|case| ISAS.map(|isa| (case, isa))) {
        let pool = MeanPool {
            size: case["size"].as_u64().unwrap() as usize,
            ceil_mode: case["ceil_mode"].as_bool().unwrap(),
        };
        let input = activations(&case["shape"]);
        let (x, dy) = (floats(&case["x"]), floats(&case["dy"]));
        assert_eq!(pool.output(&input).unwrap().elements(), dy.len());
        let (mut y, mut dx) = (vec![7.0; dy.len()], vec![7.0; x.len()]);
        mean_windows(isa, &pool, &input, &x, &mut y).unwrap();
        close("y", &y, &exact(&case["y"]), 1e-6);
        mean_windows_backward(isa, &pool, &input, &dy, &mut dx).unwrap();
        close("dx", &dx, &exact(&case["dx"]), 1e-6);
    }
}

/// The sums are exact in `f32`, so PyTorch's values must be matched exactly. Winograd rounds its
/// transforms.
#[test]
fn convolutions_are_pytorchs_and_put_nan_and_infinity_where_pytorch_does() {
    let cases = cases("convolution");
    assert_eq!(cases.len(), 9);
    for (case, isa) in cases.iter().flat_map(|case| ISAS.map(|isa| (case, isa))) {
        let input = activations(&case["shape"]);
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        let shape = ConvShape {
            batch: input.batch,
            height: input.height,
            width: input.width,
            in_channels: input.channels,
            out_channels: size("outputs"),
            kernel: size("kernel"),
            stride: size("stride"),
            padding: size("padding").into(),
        };
        let [x, w, dy] = ["x", "w", "dy"].map(|name| floats(&case[name]));
        let finite = x.iter().all(|x| x.is_finite());
        for (algorithm, tolerance) in [
            (Algorithm::Direct, 0.0),
            (Algorithm::Winograd2, 1e-6),
            (Algorithm::Winograd4, 5e-6),
        ] {
            // Winograd spreads NaN and infinities over a tile.
            if algorithm != Algorithm::Direct && !finite {
                continue;
            }
            let (mut y, mut dx) = (vec![7.0; dy.len()], vec![7.0; x.len()]);
            let mut dw = vec![7.0; w.len()];
            let packed = PackedWeights::forward_by(isa, algorithm, &shape, &w).unwrap();
            conv2d_packed(&packed, &shape, &x, &Epilogue::default(), &mut y).unwrap();
            close("y", &y, &exact(&case["y"]), tolerance);
            let packed = PackedWeights::backward_input_by(isa, algorithm, &shape, &w).unwrap();
            conv2d_backward_input_packed(&packed, &shape, &dy, &mut dx).unwrap();
            close("dx", &dx, &exact(&case["dx"]), tolerance);
            conv2d_backward_weight_by(isa, algorithm, &shape, &x, &dy, &mut dw).unwrap();
            close("dw", &dw, &exact(&case["dw"]), tolerance);
        }
    }
}

#[test]
fn depthwise_convolutions_are_pytorchs_and_put_nan_and_infinity_where_pytorch_does() {
    let cases = cases("depthwise");
    assert_eq!(cases.len(), 6);
    for (case, isa) in cases.iter().flat_map(|case| ISAS.map(|isa| (case, isa))) {
        let input = activations(&case["shape"]);
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        let shape = DepthwiseShape {
            batch: input.batch,
            height: input.height,
            width: input.width,
            channels: input.channels,
            kernel: size("kernel"),
            stride: size("stride"),
            padding: size("padding").into(),
            dilation: size("dilation"),
        };
        let [x, w, dy] = ["x", "w", "dy"].map(|name| floats(&case[name]));
        let (mut y, mut dx) = (vec![7.0; dy.len()], vec![7.0; x.len()]);
        let mut dw = vec![7.0; w.len()];
        depthwise(isa, &shape, &x, &w, &Epilogue::default(), &mut y).unwrap();
        close("y", &y, &exact(&case["y"]), 0.0);
        depthwise_backward_input(isa, &shape, &dy, &w, &mut dx).unwrap();
        close("dx", &dx, &exact(&case["dx"]), 0.0);
        depthwise_backward_weight(isa, &shape, &x, &dy, &mut dw).unwrap();
        close("dw", &dw, &exact(&case["dw"]), 0.0);
    }
}
