"""Which operators of a stranger's graph may run.

A graph is a program, and in a virtual environment nothing confines it.

What is on the list computes from its inputs alone, holds the variables and tables of its own graph, or calls a
function of it. All else does not run: files, Python, other machines and devices are out of its reach.

Names: the registries of TensorFlow 1.15.5 and 2.20.0.
"""

from __future__ import annotations

import re
from typing import Iterable  # noqa: UP035  (Python 3.7)

_MATHS = """
Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh
BatchMatMul BatchMatMulV2 BatchMatMulV3 BesselI0e BesselI1e Betainc Bincount BitwiseAnd BitwiseOr BitwiseXor Bucketize
Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp DenseBincount Digamma Div
DivNoNan Einsum Equal Erf Erfc Erfinv EuclideanNorm Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual
HistogramFixedWidth Igamma IgammaGradA Igammac Imag Inv InvGrad Invert IsFinite IsInf IsNan IsotonicRegression
LeftShift Less LessEqual Lgamma LinSpace Log Log1p LogicalAnd LogicalNot LogicalOr LowerBound MatMul Max Maximum Mean
Min Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Polygamma PopulationCount Pow Prod Range Real RealDiv
Reciprocal ReciprocalGrad RightShift Rint Round Rsqrt RsqrtGrad SegmentMax SegmentMaxV2 SegmentMean SegmentMin
SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select SelectV2 Sigmoid SigmoidGrad Sign Sin Sinh Sqrt
SqrtGrad Square SquaredDifference Sub Sum Tan Tanh TanhGrad TruncateDiv TruncateMod UnsortedSegmentMax
UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound Xdivy Xlog1py Xlogy Zeta BandedTriangularSolve
BatchCholesky BatchMatrixBandPart BatchMatrixDeterminant BatchMatrixDiag BatchMatrixDiagPart BatchMatrixInverse
BatchMatrixSetDiag BatchMatrixSolve BatchMatrixTriangularSolve BatchSelfAdjointEigV2 BatchSvd Cholesky CholeskyGrad
LogMatrixDeterminant Lu MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3
MatrixDiagV2 MatrixDiagV3 MatrixExponential MatrixInverse MatrixLogarithm MatrixSetDiag MatrixSetDiagV2
MatrixSetDiagV3 MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Qr SelfAdjointEigV2 Svd
TridiagonalMatMul TridiagonalSolve
"""

_ARRAYS = """
BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast CheckNumerics CheckNumericsV2
Concat ConcatOffset ConcatV2 ConjugateTranspose Const DebugGradientIdentity DeepCopy DepthToSpace Diag DiagPart
DynamicPartition DynamicStitch EditDistance Empty EnsureShape ExpandDims ExtractImagePatches FakeQuantWithMinMaxArgs
FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsGradient
FakeQuantWithMinMaxVarsPerChannel FakeQuantWithMinMaxVarsPerChannelGradient Fill Fingerprint Gather GatherNd GatherV2
GuaranteeConst Identity IdentityN InplaceAdd InplaceSub InplaceUpdate InvertPermutation ListDiff MirrorPad
MirrorPadGrad NthElement OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch Placeholder PlaceholderV2
PlaceholderWithDefault PreventGradient QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3
QuantizeAndDequantizeV4 QuantizeAndDequantizeV4Grad Rank Reshape Reverse ReverseSequence ReverseV2 Roll ScatterNd
ScatterNdNonAliasingAdd Shape ShapeN Size Slice Snapshot SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Squeeze
StopGradient StridedSlice StridedSliceGrad TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
TensorScatterUpdate TensorStridedSliceUpdate Tile TileGrad TopK TopKV2 Transpose Unique UniqueV2 UniqueWithCounts
UniqueWithCountsV2 Unpack UnravelIndex Where ZerosLike RaggedBincount RaggedCross RaggedFillEmptyRows
RaggedFillEmptyRowsGrad RaggedGather RaggedRange RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
RaggedTensorToVariant RaggedTensorToVariantGradient DenseToDenseSetOperation DenseToSparseSetOperation SetSize
SparseAdd SparseAddGrad SparseConcat SparseCross SparseCrossHashed SparseCrossV2 SparseDenseCwiseAdd
SparseDenseCwiseDiv SparseDenseCwiseMul SparseFillEmptyRows SparseFillEmptyRowsGrad SparseMatMul SparseReduceMax
SparseReduceMaxSparse SparseReduceSum SparseReduceSumSparse SparseReorder SparseReshape SparseSegmentMean
SparseSegmentMeanGrad SparseSegmentMeanWithNumSegments SparseSegmentSqrtN SparseSegmentSqrtNGrad
SparseSegmentSqrtNWithNumSegments SparseSegmentSum SparseSegmentSumGrad SparseSegmentSumWithNumSegments SparseSlice
SparseSliceGrad SparseSoftmax SparseSparseMaximum SparseSparseMinimum SparseSplit SparseTensorDenseAdd
SparseTensorDenseMatMul SparseToDense SparseToSparseSetOperation AsString EncodeBase64 DecodeBase64 ReduceJoin
RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin StringLength StringLower
StringNGrams StringSplit StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast StringToHashBucketStrong
StringToNumber StringUpper Substr UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode
UnsortedSegmentJoin
"""

_NETWORKS = """
AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BatchNormWithGlobalNormalization BatchNormWithGlobalNormalizationGrad
BiasAdd BiasAddGrad BiasAddV1 BlockLSTM BlockLSTMGrad BlockLSTMGradV2 BlockLSTMV2 Conv2D Conv2DBackpropFilter
Conv2DBackpropInput Conv3D DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative
DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Dequantize Elu EluGrad FusedBatchNorm
FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 GRUBlockCell
GRUBlockCellGrad InTopK InTopKV2 L2Loss LRN LRNGrad LSTMBlockCell LSTMBlockCellGrad LeakyRelu LeakyReluGrad LogSoftmax
MaxPool MaxPoolGrad MaxPoolV2 QuantizeV2 QuantizedAdd QuantizedBiasAdd QuantizedConcat QuantizedMatMul
QuantizedMatMulWithBias QuantizedMul QuantizedRelu QuantizedRelu6 QuantizedReshape Relu Relu6 Relu6Grad ReluGrad
RequantizationRange Requantize Selu SeluGrad Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign
SoftsignGrad SparseSoftmaxCrossEntropyWithLogits CTCBeamSearchDecoder CTCGreedyDecoder CTCLoss CTCLossV2
"""

_RANDOM = """
Multinomial ParameterizedTruncatedNormal RandomGamma RandomGammaGrad RandomPoissonV2 RandomShuffle
RandomStandardNormal RandomUniform RandomUniformInt StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform
StatefulUniformFullInt StatefulUniformInt StatelessMultinomial StatelessRandomGetAlg StatelessRandomGetKeyCounter
StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
"""

_CONTROL = """
Assert Case ControlTrigger Enter Exit If LoopCond Merge NextIteration NoOp PartitionedCall Print RefEnter RefExit
RefIdentity RefMerge RefNextIteration RefSelect RefSwitch StatefulPartitionedCall StatelessCase StatelessIf
StatelessWhile Switch SymbolicGradient ToBool While FakeParam
"""

_HELD = """
Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp DestroyResourceOp
DisableCopyOnRead DestroyTemporaryVariable IsVariableInitialized ReadVariableOp ResourceGather ResourceGatherNd
ResourceScatterAdd ResourceScatterUpdate ScatterAdd ScatterSub ScatterUpdate TemporaryVariable VarHandleOp
VarIsInitializedOp Variable VariableShape VariableV2 HashTable HashTableV2 InitializeTable InitializeTableV2
LookupTableExport LookupTableExportV2 LookupTableFind LookupTableFindV2 LookupTableImport LookupTableImportV2
LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2 LookupTableSize LookupTableSizeV2 MutableDenseHashTable
MutableDenseHashTableV2 MutableHashTable MutableHashTableOfTensors MutableHashTableOfTensorsV2 MutableHashTableV2
EmptyTensorList StackCloseV2 StackPopV2 StackPushV2 StackV2 TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3
TensorArrayGradV3 TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3
TensorArrayWriteV3 TensorListConcat TensorListConcatLists TensorListConcatV2 TensorListElementShape
TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
TensorListPushBackBatch TensorListReserve TensorListResize TensorListScatter TensorListScatterIntoExistingList
TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack
"""

MAY_RUN = frozenset(f"{_MATHS} {_ARRAYS} {_NETWORKS} {_RANDOM} {_CONTROL} {_HELD}".split())
"""The list."""

RESTORES = frozenset(
    ["MergeV2Checkpoints", "Restore", "RestoreSlice", "RestoreV2", "SaveV2", "ShardedFilename", "ShardedFilespec"]
)
"""What a saver's own part of a graph is made of besides: TensorFlow runs it to restore the variables beside a graph."""

_UNASKED = """
DebugIdentity DebugIdentityV2 DebugNanCount DebugNumericSummary DebugNumericSummaryV2 DecodeProtoV2 EncodeProto
GcsConfigureBlockCache GcsConfigureCredentials GenerateBigQueryReaderPartitions GenerateVocabRemapping ImmutableConst
LoadAndRemapMatrix MatchingFiles PyFuncStateless ReadFile RemoteFusedGraphExecute
"""
RUN_UNASKED = frozenset(_UNASKED.split())
"""Of those that may not run, the ones that reach beyond their inputs and have no state: TensorFlow runs such where it
takes a graph in, if a shape comes from them, whether anything needs it or not."""

_FILES = (
    "File|Reader|^Save|^Restore|^MergeV2|Shard|ImmutableConst|Dataset|Iterator|Summary|Record|Snapshot|Sql|Lmdb|PrintV2"
    "|VocabRemapping|LoadAndRemap|codeProto"
)
_PROCESSES = "^_?(Host)?(Send|Recv)$|Rpc|Collective|Nccl|Remote|Gcs|BigQuery|^Debug|Worker"
_REASONS = (
    ("PyFunc|Py_?func", "runs Python"),
    ("TPU|Infeed|Outfeed|^_?Xla|^Tpu", "is of a TPU"),
    (_PROCESSES, "talks to other processes"),
    (_FILES, "reads or writes files"),
)


def reason(op: str) -> str:
    """Why an operator may not run, as the predicate of a sentence."""
    found = next((words for pattern, words in _REASONS if re.search(pattern, op)), "")
    return found or "is not on the list of operators that may run"


def refused(operators: Iterable[str], also: Iterable[str] = ()) -> dict[str, str]:
    """Those that may not run, in order, each with the reason; `also` are more that may."""
    allowed = MAY_RUN.union(also)
    return {op: reason(op) for op in sorted(set(operators)) if op not in allowed}
