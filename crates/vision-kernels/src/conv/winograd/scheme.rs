//! Winograd's transforms along one axis.

use crate::isa::Lanes;

/// F(M, 3) with `S = M + 2` points. A tile is transformed along its rows and then along its
/// columns.
pub(crate) trait Scheme<const M: usize, const S: usize>:
    Copy + Send + Sync + 'static
{
    /// `B^T d`: transform of the input.
    fn input<L: Lanes>(d: [f32; S]) -> [f32; S];
    /// `G g`: transform of the weights.
    fn weight(g: [f32; 3]) -> [f32; S];
    /// `A^T m`: transform of the sums of products to outputs.
    fn output<L: Lanes>(m: [f32; S]) -> [f32; M];
    /// `A y`: transform of the gradient of the output.
    fn output_adjoint<L: Lanes>(y: [f32; M]) -> [f32; S];
    /// `G^T u`: transform of the gradient of the transformed weights.
    fn weight_adjoint(u: [f32; S]) -> [f32; 3];
}

/// F(2, 3), with the points 0, 1, -1.
#[derive(Clone, Copy)]
pub(crate) struct F2;

impl Scheme<2, 4> for F2 {
    #[inline(always)]
    fn input<L: Lanes>(d: [f32; 4]) -> [f32; 4] {
        [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]
    }

    #[inline(always)]
    fn weight(g: [f32; 3]) -> [f32; 4] {
        let even = (g[0] + g[2]) * 0.5;
        let odd = g[1] * 0.5;
        [g[0], even + odd, even - odd, g[2]]
    }

    #[inline(always)]
    fn output<L: Lanes>(m: [f32; 4]) -> [f32; 2] {
        [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]
    }

    #[inline(always)]
    fn output_adjoint<L: Lanes>(y: [f32; 2]) -> [f32; 4] {
        [y[0], y[0] + y[1], y[0] - y[1], -y[1]]
    }

    #[inline(always)]
    fn weight_adjoint(u: [f32; 4]) -> [f32; 3] {
        let even = (u[1] + u[2]) * 0.5;
        [u[0] + even, (u[1] - u[2]) * 0.5, even + u[3]]
    }
}

/// F(4, 3), with the points 0, 1, -1, 2, -2.
#[derive(Clone, Copy)]
pub(crate) struct F4;

impl Scheme<4, 6> for F4 {
    #[inline(always)]
    fn input<L: Lanes>(d: [f32; 6]) -> [f32; 6] {
        let a = L::mul_add(-4.0, d[2], d[4]);
        let b = L::mul_add(-4.0, d[1], d[3]);
        let c = d[4] - d[2];
        let e = 2.0 * (d[3] - d[1]);
        [
            L::mul_add(4.0, d[0], L::mul_add(-5.0, d[2], d[4])),
            a + b,
            a - b,
            c + e,
            c - e,
            L::mul_add(4.0, d[1], L::mul_add(-5.0, d[3], d[5])),
        ]
    }

    #[inline(always)]
    fn weight(g: [f32; 3]) -> [f32; 6] {
        let a = (g[0] + g[2]) * (-1.0 / 6.0);
        let b = g[1] * (1.0 / 6.0);
        let c = g[0] * (1.0 / 24.0) + g[2] * (1.0 / 6.0);
        let e = g[1] * (1.0 / 12.0);
        [g[0] * 0.25, a - b, a + b, c + e, c - e, g[2]]
    }

    #[inline(always)]
    fn output<L: Lanes>(m: [f32; 6]) -> [f32; 4] {
        let (a, b) = (m[1] + m[2], m[1] - m[2]);
        let (c, e) = (m[3] + m[4], m[3] - m[4]);
        [
            m[0] + a + c,
            L::mul_add(2.0, e, b),
            L::mul_add(4.0, c, a),
            L::mul_add(8.0, e, b) + m[5],
        ]
    }

    #[inline(always)]
    fn output_adjoint<L: Lanes>(y: [f32; 4]) -> [f32; 6] {
        let (a, b) = (y[0] + y[2], y[1] + y[3]);
        let c = L::mul_add(4.0, y[2], y[0]);
        let e = L::mul_add(8.0, y[3], 2.0 * y[1]);
        [y[0], a + b, a - b, c + e, c - e, y[3]]
    }

    #[inline(always)]
    fn weight_adjoint(u: [f32; 6]) -> [f32; 3] {
        let (a, b) = ((u[1] + u[2]) * (-1.0 / 6.0), (u[2] - u[1]) * (1.0 / 6.0));
        let (c, e) = (u[3] + u[4], u[3] - u[4]);
        [
            u[0] * 0.25 + a + c * (1.0 / 24.0),
            b + e * (1.0 / 12.0),
            a + c * (1.0 / 6.0) + u[5],
        ]
    }
}
