//! Kernels: sizes that do not belong to their slices.

use std::hint::black_box;

use vision::kernels::activation::{
    Activation, activate, activate_backward, add_relu, relu, relu_backward, relu6, relu6_backward,
};
use vision::kernels::adam::Adam;
use vision::kernels::attention::Attention;
use vision::kernels::batch_norm::{
    BatchNorm, Forward, Stats, batch_norm_backward, batch_norm_backward_shared, batch_norm_eval,
    batch_norm_eval_backward, batch_norm_train, batch_norm_train_shared, scale_shift,
};
use vision::kernels::branch::add_branch;
use vision::kernels::channel_scale::{scale_channels, scale_channels_backward};
use vision::kernels::conv::{
    Accuracy, Algorithm, ConvShape, Epilogue, PackedWeights, conv2d, conv2d_backward_input,
    conv2d_backward_input_packed, conv2d_backward_weight, conv2d_backward_weight_by, conv2d_packed,
};
use vision::kernels::depthwise::{
    DepthwiseShape, depthwise, depthwise_backward_input, depthwise_backward_weight,
};
use vision::kernels::global_pool::{
    concat_pool, concat_pool_backward, mean_pool, mean_pool_backward,
};
use vision::kernels::grouped::{
    GroupedShape, grouped, grouped_backward_input, grouped_backward_weight,
};
use vision::kernels::layer_norm::{LayerNorm, PixelStats};
use vision::kernels::linear::Linear;
use vision::kernels::loss::{CrossEntropy, binary_cross_entropy};
use vision::kernels::pool::{
    Activations, MaxPool, MeanPool, max_pool, max_pool_backward, mean_windows,
    mean_windows_backward,
};
use vision::kernels::{Isa, Padding, ShapeError, average, bias, buffers};

use crate::table::{ANY, Table};
use crate::values::{F32, F64, USIZE};

type Result = std::result::Result<(), ShapeError>;

/// A kernel with a shape, an input and an output.
type Call<'a, S> = dyn Fn(&S, &[f32], &mut [f32]) -> Result + 'a;

/// A max pool too.
type PoolCall<'a> = dyn Fn(&MaxPool, &Activations, &[f32], &mut [f32]) -> Result + 'a;

/// Shapes that are 2 in all sizes, and `n` in one of them.
fn conv_shapes(n: usize) -> Vec<ConvShape> {
    let two = ConvShape {
        batch: 2,
        height: 2,
        width: 2,
        in_channels: 2,
        out_channels: 2,
        kernel: 2,
        stride: 2,
        padding: 0.into(),
    };
    vec![
        ConvShape { batch: n, ..two },
        ConvShape { height: n, ..two },
        ConvShape { width: n, ..two },
        ConvShape {
            in_channels: n,
            ..two
        },
        ConvShape {
            out_channels: n,
            ..two
        },
        ConvShape { kernel: n, ..two },
        ConvShape { stride: n, ..two },
        ConvShape {
            padding: n.into(),
            ..two
        },
        ConvShape {
            padding: Padding {
                rows: [n, 0],
                columns: [1, n],
            },
            ..two
        },
        ConvShape {
            height: n,
            width: n,
            ..two
        },
        ConvShape {
            in_channels: n,
            out_channels: n,
            ..two
        },
        ConvShape {
            kernel: n,
            padding: n.into(),
            ..two
        },
        ConvShape {
            kernel: n,
            stride: n,
            padding: (n / 2).into(),
            ..two
        },
    ]
}

fn depthwise_shapes(n: usize) -> Vec<DepthwiseShape> {
    let two = DepthwiseShape {
        batch: 2,
        height: 2,
        width: 2,
        channels: 2,
        kernel: 2,
        stride: 2,
        padding: 0.into(),
        dilation: 1,
    };
    vec![
        DepthwiseShape { batch: n, ..two },
        DepthwiseShape { height: n, ..two },
        DepthwiseShape { width: n, ..two },
        DepthwiseShape { channels: n, ..two },
        DepthwiseShape { kernel: n, ..two },
        DepthwiseShape { stride: n, ..two },
        DepthwiseShape {
            padding: n.into(),
            ..two
        },
        DepthwiseShape { dilation: n, ..two },
        DepthwiseShape {
            kernel: n,
            padding: n.into(),
            dilation: n,
            ..two
        },
    ]
}

fn activations(n: usize) -> Vec<Activations> {
    let two = Activations {
        batch: 2,
        height: 2,
        width: 2,
        channels: 2,
    };
    vec![
        Activations { batch: n, ..two },
        Activations { height: n, ..two },
        Activations { width: n, ..two },
        Activations { channels: n, ..two },
        Activations {
            batch: n,
            height: n,
            width: n,
            channels: n,
        },
    ]
}

/// Both lengths that a slice may have: of the shapes of 2, and none.
const LENGTHS: [usize; 3] = [0, 4, 16];

pub(crate) fn table(t: &mut Table) {
    let isa = Isa::detect();
    let accuracy = Accuracy::default();
    let each_conv = |n: usize, call: &Call<'_, ConvShape>| {
        let mut last = Ok(());
        for shape in conv_shapes(n) {
            black_box((shape.output_len(), shape.flops()));
            for length in LENGTHS {
                last = call(&shape, &vec![1.0; length], &mut vec![1.0; length]);
            }
        }
        last
    };
    t.line("conv2d", ANY, USIZE, |n| {
        each_conv(n, &|s, x, y| {
            conv2d(isa, accuracy, s, x, x, &Epilogue::default(), y)
        })
    });
    t.line("conv2d_backward_input", ANY, USIZE, |n| {
        each_conv(n, &|s, x, y| {
            conv2d_backward_input(isa, accuracy, s, x, x, y)
        })
    });
    t.line("conv2d_backward_weight", ANY, USIZE, |n| {
        each_conv(n, &|s, x, y| {
            conv2d_backward_weight(isa, accuracy, s, x, x, y)
        })
    });
    t.line("conv2d_backward_weight_by", ANY, USIZE, |n| {
        each_conv(n, &|s, x, y| {
            conv2d_backward_weight_by(isa, Algorithm::Direct, s, x, x, y)
        })
    });
    t.line("PackedWeights::forward", ANY, USIZE, |n| {
        each_conv(n, &|s, x, _| {
            PackedWeights::forward(isa, accuracy, s, x).map(drop)
        })
    });
    t.line("PackedWeights::backward_input", ANY, USIZE, |n| {
        each_conv(n, &|s, x, _| {
            PackedWeights::backward_input(isa, accuracy, s, x).map(drop)
        })
    });
    t.line("PackedWeights::forward_by", ANY, USIZE, |n| {
        each_conv(n, &|s, x, _| {
            PackedWeights::forward_by(isa, Algorithm::Direct, s, x).map(drop)
        })
    });
    t.line("PackedWeights::backward_input_by", ANY, USIZE, |n| {
        each_conv(n, &|s, x, _| {
            PackedWeights::backward_input_by(isa, Algorithm::Direct, s, x).map(drop)
        })
    });
    let shape = conv_shapes(2)[0];
    let packed = PackedWeights::forward(isa, accuracy, &shape, &[1.0; 16]).unwrap();
    t.line("conv2d_packed", ANY, USIZE, |n| {
        each_conv(n, &|s, x, y| {
            conv2d_packed(&packed, s, x, &Epilogue::default(), y)
        })
    });
    let packed = PackedWeights::backward_input(isa, accuracy, &shape, &[1.0; 16]).unwrap();
    t.line("conv2d_backward_input_packed", ANY, USIZE, |n| {
        each_conv(n, &|s, x, y| conv2d_backward_input_packed(&packed, s, x, y))
    });
    let each_depthwise = |n: usize, call: &Call<'_, DepthwiseShape>| {
        let mut last = Ok(());
        for shape in depthwise_shapes(n) {
            black_box((shape.output_len(), shape.weight_len()));
            for length in LENGTHS {
                last = call(&shape, &vec![1.0; length], &mut vec![1.0; length]);
            }
        }
        last
    };
    t.line("depthwise", ANY, USIZE, |n| {
        each_depthwise(n, &|s, x, y| {
            depthwise(isa, s, x, x, &Epilogue::default(), y)
        })
    });
    t.line("depthwise_backward_input", ANY, USIZE, |n| {
        each_depthwise(n, &|s, x, y| depthwise_backward_input(isa, s, x, x, y))
    });
    t.line("depthwise_backward_weight", ANY, USIZE, |n| {
        each_depthwise(n, &|s, x, y| depthwise_backward_weight(isa, s, x, x, y))
    });
    let each_grouped = |n: usize, call: &Call<'_, GroupedShape>| {
        let mut last = Ok(());
        let groups = conv_shapes(2)
            .into_iter()
            .map(|conv| GroupedShape { conv, groups: n });
        let convs = conv_shapes(n)
            .into_iter()
            .map(|conv| GroupedShape { conv, groups: 2 });
        for shape in groups.chain(convs) {
            black_box(shape.weight_len());
            for length in LENGTHS {
                last = call(&shape, &vec![1.0; length], &mut vec![1.0; length]);
            }
        }
        last
    };
    t.line("grouped", ANY, USIZE, |n| {
        each_grouped(n, &|s, x, y| grouped(isa, s, x, x, &Epilogue::default(), y))
    });
    t.line("grouped_backward_input", ANY, USIZE, |n| {
        each_grouped(n, &|s, x, y| grouped_backward_input(isa, s, x, x, y))
    });
    t.line("grouped_backward_weight", ANY, USIZE, |n| {
        each_grouped(n, &|s, x, y| grouped_backward_weight(isa, s, x, x, y))
    });
    t.line("Padding::same", ANY, USIZE, |n| {
        Padding::same(n).uniform();
    });
    let each_pool = |n: usize, call: &Call<'_, Activations>| {
        let mut last = Ok(());
        for input in activations(n) {
            input.elements();
            for length in LENGTHS {
                last = call(&input, &vec![1.0; length], &mut vec![1.0; length]);
            }
        }
        last
    };
    t.line("mean_pool", ANY, USIZE, |n| {
        each_pool(n, &|s, x, y| mean_pool(isa, s, x, y))
    });
    t.line("mean_pool_backward", ANY, USIZE, |n| {
        each_pool(n, &|s, x, y| mean_pool_backward(isa, s, x, y))
    });
    t.line("concat_pool", ANY, USIZE, |n| {
        each_pool(n, &|s, x, y| concat_pool(isa, s, x, y, &mut [0; 4]))
    });
    t.line("concat_pool_backward", ANY, USIZE, |n| {
        each_pool(n, &|s, x, y| {
            concat_pool_backward(isa, s, x, &[u32::MAX; 4], y)
        })
    });
    t.line("add_branch", ANY, USIZE, |n| {
        each_pool(n, &|_, x, y| add_branch(isa, x, x, Some(&[1.0; 4]), y))
    });
    t.line("scale_channels", ANY, USIZE, |n| {
        each_pool(n, &|s, x, y| scale_channels(isa, s, x, &[1.0; 4], y))
    });
    t.line("scale_channels_backward", ANY, USIZE, |n| {
        each_pool(n, &|s, x, y| {
            scale_channels_backward(isa, s, x, &[1.0; 4], x, Some(y), &mut [1.0; 4])
        })
    });
    let max_pools = |n: usize| {
        let two = MaxPool {
            kernel: [2; 2],
            stride: [2; 2],
            padding: [0; 2],
            ceil_mode: true,
        };
        [
            two,
            MaxPool {
                kernel: [n; 2],
                ..two
            },
            MaxPool {
                stride: [n; 2],
                ..two
            },
            MaxPool {
                padding: [n; 2],
                ..two
            },
            MaxPool {
                kernel: [n; 2],
                stride: [n; 2],
                padding: [n / 2; 2],
                ceil_mode: false,
            },
        ]
    };
    let each_max = |n: usize, call: &PoolCall<'_>| {
        let mut last = Ok(());
        for pool in max_pools(n) {
            last = each_pool(n, &|s, x, y| call(&pool, s, x, y));
            last = last.and(each_pool(2, &|s, x, y| call(&pool, s, x, y)));
        }
        last
    };
    t.line("max_pool", ANY, USIZE, |n| {
        each_max(n, &|pool, s, x, y| max_pool(isa, pool, s, x, y, None))
    });
    t.line("max_pool_backward", ANY, USIZE, |n| {
        each_max(n, &|pool, s, x, y| {
            max_pool_backward(isa, pool, s, x, &[255; 4], y)
        })
    });
    let mean_pools = |n: usize| {
        [
            MeanPool {
                size: n,
                ceil_mode: false,
            },
            MeanPool {
                size: n,
                ceil_mode: true,
            },
        ]
    };
    t.line("mean_windows", ANY, USIZE, |n| {
        mean_pools(n).into_iter().try_for_each(|pool| {
            each_pool(n, &|s, x, y| mean_windows(isa, &pool, s, x, y))
                .and(each_pool(2, &|s, x, y| mean_windows(isa, &pool, s, x, y)))
        })
    });
    t.line("mean_windows_backward", ANY, USIZE, |n| {
        mean_pools(n).into_iter().try_for_each(|pool| {
            each_pool(n, &|s, x, y| mean_windows_backward(isa, &pool, s, x, y))
        })
    });
    let layers = |n: usize| {
        [
            Linear {
                batch: n,
                inputs: 2,
                outputs: 2,
            },
            Linear {
                batch: 2,
                inputs: n,
                outputs: 2,
            },
            Linear {
                batch: 2,
                inputs: 2,
                outputs: n,
            },
            Linear {
                batch: n,
                inputs: n,
                outputs: n,
            },
        ]
    };
    t.line("Linear::forward", ANY, USIZE, |n| {
        layers(n)
            .into_iter()
            .try_for_each(|layer| layer.forward(isa, &[1.0; 4], &[1.0; 4], None, &mut [1.0; 4]))
    });
    t.line("Linear::forward_activated", ANY, USIZE, |n| {
        layers(n).into_iter().try_for_each(|layer| {
            let gelu = Some(Activation::Gelu);
            layer.forward_activated(isa, &[1.0; 4], &[1.0; 4], None, gelu, &mut [1.0; 4])
        })
    });
    t.line("Linear::backward_input", ANY, USIZE, |n| {
        layers(n)
            .into_iter()
            .try_for_each(|layer| layer.backward_input(isa, &[1.0; 4], &[1.0; 4], &mut [1.0; 4]))
    });
    t.line("Linear::backward_weight", ANY, USIZE, |n| {
        layers(n)
            .into_iter()
            .try_for_each(|layer| layer.backward_weight(isa, &[1.0; 4], &[1.0; 4], &mut [1.0; 4]))
    });
    elementwise(t, isa);
    batch_norms(t, isa);
    t.line("take", ANY, [0, 1, 1 << 20], |n| {
        assert_eq!(buffers::take(n).len(), n)
    });
    t.line("take_bytes", ANY, [0, 1, 1 << 20], |n| {
        assert_eq!(buffers::take_bytes(n).len(), n)
    });
    t.line("set_limit", ANY, USIZE, |n| {
        buffers::set_limit(n);
        drop(buffers::take(1 << 20));
        buffers::set_limit(buffers::DEFAULT_LIMIT);
    });
}

fn elementwise(t: &mut Table, isa: Isa) {
    t.line("relu", ANY, LENGTHS, |n| {
        relu(isa, &vec![1.0; n], &mut [1.0; 4])
    });
    t.line("relu6", ANY, LENGTHS, |n| {
        relu6(isa, &vec![1.0; n], &mut [1.0; 4])
    });
    t.line("add_relu", ANY, LENGTHS, |n| {
        add_relu(isa, &vec![1.0; n], &[1.0; 4], &mut [1.0; 4])
    });
    t.line("relu_backward", ANY, LENGTHS, |n| {
        relu_backward(isa, &vec![1.0; n], &[1.0; 4], &mut [1.0; 4])
    });
    t.line("relu6_backward", ANY, LENGTHS, |n| {
        relu6_backward(isa, &[1.0; 4], &vec![1.0; n], &mut [1.0; 4])
    });
    let attentions = |n: usize| {
        let two = Attention {
            batch: 1,
            tokens: 2,
            heads: 1,
            size: 2,
        };
        [
            Attention { batch: n, ..two },
            Attention { tokens: n, ..two },
            Attention { heads: n, ..two },
            Attention { size: n, ..two },
        ]
    };
    t.line("Attention::forward", ANY, USIZE, |n| {
        attentions(n)
            .into_iter()
            .try_for_each(|a| a.forward(isa, &[1.0; 12], &mut [1.0; 4]).map(drop))
    });
    t.line("Attention::backward", ANY, USIZE, |n| {
        attentions(n).into_iter().try_for_each(|a| {
            let forward = (&[1.0; 4][..], &[1.0; 2][..]);
            a.backward(isa, &[1.0; 12], forward, &[1.0; 4], &mut [1.0; 12])
        })
    });
    t.line("LayerNorm::forward", ANY, USIZE, |channels| {
        let norm = LayerNorm {
            channels,
            eps: 1e-5,
        };
        norm.forward(isa, &[1.0; 4], [&[1.0; 2]; 2], &mut [1.0; 4])
            .map(drop)
    });
    t.line("LayerNorm::forward", ANY, F32, |x| {
        let norm = LayerNorm {
            channels: 2,
            eps: x,
        };
        norm.forward(isa, &[x; 4], [&[x; 2]; 2], &mut [1.0; 4])
            .map(drop)
    });
    t.line("LayerNorm::backward", ANY, USIZE, |channels| {
        let norm = LayerNorm {
            channels,
            eps: 1e-5,
        };
        let stats = PixelStats {
            mean: vec![1.0; 2],
            inv_std: vec![1.0; 2],
        };
        norm.backward(isa, &[1.0; 4], &[1.0; 2], &stats, &[1.0; 4], &mut [1.0; 4])
            .map(drop)
    });
    t.line("backward", ANY, LENGTHS, |n| {
        bias::backward(isa, &vec![1.0; n], &mut [1.0; 3])
    });
    t.line("activate", ANY, F32, |x| {
        activate(isa, Activation::Gelu, &[x; 4], &mut [1.0; 4])
    });
    t.line("activate", ANY, LENGTHS, |n| {
        activate(isa, Activation::Silu, &vec![1.0; n], &mut [1.0; 4])
    });
    t.line("activate_backward", ANY, LENGTHS, |n| {
        activate_backward(
            isa,
            Activation::Silu,
            &[1.0; 4],
            &vec![1.0; n],
            &mut [1.0; 4],
        )
    });
    let adam = Adam {
        lr: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay: 0.0,
        step: 0,
    };
    t.line("Adam::step", ANY, F64, |x| {
        for adam in [
            Adam { lr: x, ..adam },
            Adam { beta1: x, ..adam },
            Adam { beta2: x, ..adam },
            Adam { eps: x, ..adam },
            Adam {
                weight_decay: x,
                ..adam
            },
            Adam {
                step: u32::MAX,
                ..adam
            },
        ] {
            adam.step(isa, &mut [1.0; 4], &[1.0; 4], &mut [1.0; 4], &mut [1.0; 4])?;
        }
        Ok::<_, ShapeError>(())
    });
    t.line("Adam::step", ANY, LENGTHS, |n| {
        adam.step(
            isa,
            &mut [1.0; 4],
            &vec![1.0; n],
            &mut [1.0; 4],
            &mut [1.0; 4],
        )
    });
    t.line("move_to", ANY, F64, |x| {
        average::move_to(isa, &mut [1.0, x as f32], &[2.0, 1.0], x)
    });
    t.line("move_to", ANY, LENGTHS, |n| {
        average::move_to(isa, &mut [1.0; 4], &vec![1.0; n], 0.5)
    });
    t.line("CrossEntropy::run", ANY, USIZE, |n| {
        let rule = CrossEntropy {
            classes: n,
            ..CrossEntropy::default()
        };
        rule.run(
            isa,
            &[0.0; 4],
            &[1_u32, u32::MAX],
            &mut [0.0; 2],
            Some(&mut [0.0; 4]),
        )?;
        rule.run(isa, &[0.0; 4], &[-1_i64, i64::MAX], &mut [0.0; 2], None)
    });
    t.line("CrossEntropy::run", ANY, F64, |x| {
        let rule = CrossEntropy {
            classes: 2,
            smoothing: x,
            ..CrossEntropy::default()
        };
        rule.run(
            isa,
            &[x as f32; 4],
            &[1_u32, 0],
            &mut [0.0; 2],
            Some(&mut [0.0; 4]),
        )
    });
    t.line("binary_cross_entropy", ANY, F32, |x| {
        binary_cross_entropy(
            isa,
            Some(&[x; 2]),
            [&[x; 4], &[x; 4]],
            &mut [0.0; 2],
            Some(&mut [0.0; 4]),
        )
    });
    t.line("binary_cross_entropy", ANY, LENGTHS, |n| {
        binary_cross_entropy(isa, None, [&vec![1.0; n], &[1.0; 4]], &mut [0.0; 2], None)
    });
}

fn batch_norms(t: &mut Table, isa: Isa) {
    let norm = |channels: usize| BatchNorm {
        channels,
        eps: 1e-5,
        activation: Some(Activation::Relu),
    };
    let stats = || Stats::from_running(&[0.0; 2], &[1.0; 2], 1e-5).unwrap();
    t.line("Stats::from_running", ANY, LENGTHS, |n| {
        Stats::from_running(&vec![0.0; n], &[1.0; 4], 1e-5)
    });
    t.line("Stats::from_running", ANY, F32, |x| {
        Stats::from_running(&[x; 2], &[x; 2], x)
    });
    t.line("batch_norm_train", ANY, USIZE, |n| {
        batch_norm_train(
            isa,
            &norm(n),
            &[1.0; 4],
            [&[1.0; 2], &[1.0; 2]],
            None,
            &mut [1.0; 4],
        )
    });
    t.line("batch_norm_eval", ANY, USIZE, |n| {
        batch_norm_eval(
            isa,
            &norm(n),
            &[1.0; 4],
            [&[1.0; 2], &[1.0; 2]],
            &stats(),
            None,
            &mut [1.0; 4],
        )
    });
    t.line("scale_shift", ANY, LENGTHS, |n| {
        scale_shift(
            isa,
            [&vec![1.0; n], &[1.0; 2]],
            &[1.0; 4],
            None,
            Some(Activation::Gelu),
            &mut [1.0; 4],
        )
    });
    let (stats, gamma) = (stats(), [1.0; 2]);
    let forward = || Forward {
        x: &[1.0; 4],
        y: Some(&[1.0; 4]),
        gamma: &gamma,
        beta: &gamma,
        stats: &stats,
    };
    t.line("batch_norm_backward", ANY, USIZE, |n| {
        batch_norm_backward(isa, &norm(n), &forward(), &[1.0; 4], &mut [1.0; 4], None)
    });
    t.line("batch_norm_train_shared", ANY, USIZE, |n| {
        batch_norm_train_shared(
            isa,
            &norm(n),
            &[1.0; 4],
            [&[1.0; 2], &[1.0; 2]],
            None,
            &mut [1.0; 4],
            &|values| values.fill(f64::NAN),
        )
    });
    t.line("batch_norm_backward_shared", ANY, USIZE, |n| {
        batch_norm_backward_shared(
            isa,
            &norm(n),
            &forward(),
            &[1.0; 4],
            &mut [1.0; 4],
            None,
            (n, &|values| values.fill(f64::INFINITY)),
        )
    });
    t.line("batch_norm_eval_backward", ANY, USIZE, |n| {
        batch_norm_eval_backward(isa, &norm(n), &forward(), &[1.0; 4], &mut [1.0; 4], None)
    });
}
