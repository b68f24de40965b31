"""The operators of TensorFlow 1 that neuron-cc says it can compile.

From the release notes in AWS's documentation, "TensorFlow Neuron (TF1.x) supported operators", up to release 1.9.1.0,
the last one that changes the list.
"""

OPERATORS = frozenset(
    """
    Abs Add AddV2 AdjustContrastv2 AdjustSaturation All ArgMax ArgMin AvgPool BatchMatMul BatchMatMulV2 BatchToSpaceND
    BiasAdd BroadcastTo Cast Ceil Cholesky Concat ConcatV2 Const Conv2D Conv2DBackpropInput Conv3D Cos CropAndResize
    DepthwiseConv2dNative Equal Erf Exp ExpandDims Fill Floor FloorDiv FusedBatchNorm FusedBatchNormV3 Greater
    GreaterEqual HSVToRGB Identity InvertPermutation IsNan L2Loss LRN LeakyRelu Less LessEqual Log1p LogSoftmax
    LogicalAnd LogicalNot LogicalOr MatMul MatrixBandPart MatrixDiag MatrixSetDiag MatrixTriangularSolve Max MaxPool
    MaxPool3D Maximum Mean Min Minimum MirrorPad Mul Neg NoOp NotEqual Pack Pad PadV2 Placeholder Pow Prod RGBToHSV
    RandomUniform Range Rank RealDiv Reciprocal Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 Round
    Rsqrt Select Shape Sigmoid Sign Sin Size Slice Softmax SoftmaxCrossEntropyWithLogits Softplus SpaceToBatchND Split
    SplitV Sqrt Square SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Tanh Tile Transpose Unpack
    UnsortedSegmentSum ZerosLike
    """.split()  # noqa: SIM905 - a list of literals would be a page long
)
