"""Command lines as they stand on upstream's pages, but for the script's name; and the command that stands for each."""

from __future__ import annotations

GOOGLE = """
--vocab_file=$BERT_BASE_DIR/vocab.txt
--bert_config_file=$BERT_BASE_DIR/bert_config.json
--init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt
"""
SQUAD = """
--do_train=True --train_file=$SQUAD_DIR/train-v1.1.json
--do_predict=True --predict_file=$SQUAD_DIR/dev-v1.1.json
--learning_rate=3e-5 --num_train_epochs=2.0 --max_seq_length=384 --doc_stride=128
"""
SQUAD_2 = """
--do_train=True --train_file=$SQUAD_DIR/train-v2.0.json
--do_predict=True --predict_file=$SQUAD_DIR/dev-v2.0.json
--train_batch_size=24 --learning_rate=3e-5 --num_train_epochs=2.0 --max_seq_length=384 --doc_stride=128
--output_dir=$WORK/squad_large/ --version_2_with_negative=True
"""
GARDEN_CLASSIFIER = """
--input_meta_data_path=${GLUE_DIR}/${TASK}_meta_data
--train_data_path=${GLUE_DIR}/${TASK}_train.tf_record
--eval_data_path=${GLUE_DIR}/${TASK}_eval.tf_record
--bert_config_file=${BERT_DIR}/bert_config.json
"""
GARDEN_SQUAD = """
--input_meta_data_path=${SQUAD_DIR}/squad_${SQUAD_VERSION}_meta_data
--train_data_path=${SQUAD_DIR}/squad_${SQUAD_VERSION}_train.tf_record
--predict_file=${SQUAD_DIR}/dev-v1.1.json
--vocab_file=${BERT_DIR}/vocab.txt
--bert_config_file=${BERT_DIR}/bert_config.json
--init_checkpoint=${BERT_DIR}/bert_model.ckpt
--learning_rate=8e-5 --num_train_epochs=2 --model_dir=${MODEL_DIR}
"""
TPU = "--distribution_strategy=tpu --tpu=grpc://${TPU_IP_ADDRESS}:8470"
CUT = '--input "IteratorGetNext:0{i32}[1 128],IteratorGetNext:1{i32}[1 128],IteratorGetNext:4{i32}[1 128]"'

LINES = {
    # google-research/bert, README.md and multilingual.md
    "run_classifier.py": (
        "finetune",
        GOOGLE + "--task_name=MRPC --do_train=true --do_eval=true --data_dir=$GLUE_DIR/MRPC --max_seq_length=128 "
        "--train_batch_size=32 --learning_rate=2e-5 --num_train_epochs=3.0 --output_dir=$WORK/mrpc_output/",
    ),
    "run_classifier.py, predicting": (
        "finetune",
        (
            "--task_name=MRPC --do_predict=true --data_dir=$GLUE_DIR/MRPC --vocab_file=$BERT_BASE_DIR/vocab.txt "
            "--bert_config_file=$BERT_BASE_DIR/bert_config.json --init_checkpoint=$TRAINED_CLASSIFIER "
            "--max_seq_length=128 --output_dir=$WORK/mrpc_output/"
        ),
    ),
    "run_classifier.py of XNLI": (
        "finetune",
        GOOGLE + "--task_name=XNLI --do_train=true --do_eval=true --data_dir=$XNLI_DIR --max_seq_length=128 "
        "--train_batch_size=32 --learning_rate=5e-5 --num_train_epochs=2.0 --output_dir=$WORK/xnli_output/",
    ),
    "run_squad.py": ("finetune", GOOGLE + SQUAD + "--train_batch_size=12 --output_dir=$WORK/squad_base/"),
    "run_squad.py on a TPU": (
        "finetune",
        GOOGLE + SQUAD + "--train_batch_size=24 --output_dir=gs://some_bucket/squad_large/ --use_tpu=True "
        "--tpu_name=$TPU_NAME",
    ),
    "run_squad.py of SQuAD 2.0": ("finetune", GOOGLE + SQUAD_2),
    "run_squad.py with a threshold": (
        "finetune",
        GOOGLE + SQUAD_2.replace("--do_train=True", "--do_train=False") + "--null_score_diff_threshold=-1.25",
    ),
    "create_pretraining_data.py": (
        "prepare-pretraining-data",
        (
            "--input_file=./sample_text.txt --output_file=$WORK/tf_examples.tfrecord "
            "--vocab_file=$BERT_BASE_DIR/vocab.txt --do_lower_case=True --max_seq_length=128 "
            "--max_predictions_per_seq=20 --masked_lm_prob=0.15 --random_seed=12345 --dupe_factor=5"
        ),
    ),
    # OpenVINO's page on BERT
    "download_glue_data.py": ("fetch-data", "--tasks MRPC"),
    "download_glue_data.py of several": ("fetch-data", "--tasks MRPC,RTE"),
    "run_classifier.py, to freeze": (
        "finetune",
        (
            "--task_name=MRPC --do_eval=true --data_dir=$BERT_REPO_DIR/glue_data/MRPC "
            "--vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json "
            "--init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --output_dir=./"
        ),
    ),
    "mo of the .meta": (
        "build-ir",
        (
            "--input_meta_graph $BERT_BASE_DIR/bert_model.ckpt.meta --output bert/pooler/dense/Tanh "
            "--disable_nhwc_to_nchw --input Placeholder{i32},Placeholder_1{i32},Placeholder_2{i32}"
        ),
    ),
    "mo of the frozen graph": ("build-ir", f"--input_model inference_graph.pb {CUT} --disable_nhwc_to_nchw"),
    # what else mo and ovc take
    "mo of a name": ("build-ir", "--input_model graph.pb --model_name mine"),
    "mo of a checkpoint": ("build-ir", "--input_checkpoint $BERT_BASE_DIR/bert_model.ckpt"),
    "mo of a SavedModel": ("build-ir", "--saved_model_dir exported"),
    "mo of a folder": ("build-ir", "--input_model graph.pb --output_dir irs"),
    "mo of a shape": ("build-ir", "--input_model graph.pb --input_shape [1,128]"),
    "ovc of a file": ("build-ir", "--input_model graph.pb --output_model x.xml"),
    # SQuAD's own judge
    "evaluate-v2.0.py to a file": ("evaluate", "--predictions p.json --out-file eval.json"),
    "evaluate-v2.0.py with a curve": ("evaluate", "--predictions p.json --out-image-dir images"),
    # the Model Garden's page on BERT, and its converters
    "official create_pretraining_data.py": (
        "prepare-pretraining-data",
        (
            "--input_file=$WORK/input.txt --output_file=$WORK/tf_examples.tfrecord "
            "--vocab_file=$BERT_BASE_DIR/vocab.txt --do_lower_case=True --max_seq_length=512 "
            "--max_predictions_per_seq=76 --masked_lm_prob=0.15 --random_seed=12345 --dupe_factor=5"
        ),
    ),
    "create_finetuning_data.py": (
        "prepare-data",
        (
            "--input_data_dir=${GLUE_DIR}/${TASK}/ --vocab_file=${BERT_DIR}/vocab.txt "
            "--train_data_output_path=${OUTPUT_DIR}/${TASK}_train.tf_record "
            "--eval_data_output_path=${OUTPUT_DIR}/${TASK}_eval.tf_record "
            "--meta_data_file_path=${OUTPUT_DIR}/${TASK}_meta_data "
            "--fine_tuning_task_type=classification --max_seq_length=128 --classification_task_name=${TASK}"
        ),
    ),
    "create_finetuning_data.py of SQuAD": (
        "prepare-data",
        (
            "--squad_data_file=${SQUAD_DIR}/train-${SQUAD_VERSION}.json --vocab_file=${BERT_DIR}/vocab.txt "
            "--train_data_output_path=${OUTPUT_DIR}/squad_${SQUAD_VERSION}_train.tf_record "
            "--meta_data_file_path=${OUTPUT_DIR}/squad_${SQUAD_VERSION}_meta_data "
            "--fine_tuning_task_type=squad --max_seq_length=384"
        ),
    ),
    "official run_classifier.py": (
        "train",
        "--mode='train_and_eval' " + GARDEN_CLASSIFIER + "--init_checkpoint=${BERT_DIR}/bert_model.ckpt "
        "--train_batch_size=4 --eval_batch_size=4 --steps_per_loop=1 --learning_rate=2e-5 --num_train_epochs=3 "
        "--model_dir=${MODEL_DIR} --distribution_strategy=mirrored",
    ),
    "official run_classifier.py, its README of 2021": (
        "train",
        "--mode='train_and_eval' " + GARDEN_CLASSIFIER + "--init_checkpoint=${BERT_DIR}/bert_model.ckpt "
        "--train_batch_size=4 --eval_batch_size=4 --steps_per_loop=1 --log_steps=10 --learning_rate=2e-5 "
        "--num_train_epochs=3 --model_dir=${MODEL_DIR} --model_export_path=$WORK/exported",
    ),
    "official run_classifier.py, predicting": (
        "train",
        (
            "--mode='predict' --input_meta_data_path=${GLUE_DIR}/${TASK}_meta_data "
            "--eval_data_path=${GLUE_DIR}/${TASK}_eval.tf_record --bert_config_file=${BERT_DIR}/bert_config.json "
            "--eval_batch_size=4 --model_dir=${MODEL_DIR} --distribution_strategy=mirrored"
        ),
    ),
    "official run_classifier.py on a TPU": (
        "train",
        "--mode='train_and_eval' " + GARDEN_CLASSIFIER + "--init_checkpoint=${BERT_DIR}/bert_model.ckpt "
        "--train_batch_size=32 --eval_batch_size=32 --steps_per_loop=1000 --learning_rate=2e-5 --num_train_epochs=3 "
        "--model_dir=${MODEL_DIR} " + TPU,
    ),
    "official run_classifier.py of a module": (
        "train",
        "--mode='train_and_eval' " + GARDEN_CLASSIFIER + "--model_dir=${MODEL_DIR} "
        "--hub_module_url=https://tfhub.dev/tensorflow/bert_en_uncased_L-24_H-1024_A-16/1",
    ),
    "official run_classifier.py in a bucket": (
        "train",
        "--mode='train_and_eval' " + GARDEN_CLASSIFIER + "--init_checkpoint=gs://cloud-tpu-checkpoints/bert/keras_bert/"
        "uncased_L-24_H-1024_A-16/bert_model.ckpt --model_dir=gs://some_bucket/my_output_dir",
    ),
    "official run_squad.py": (
        "train",
        GARDEN_SQUAD + "--train_batch_size=4 --predict_batch_size=4 --distribution_strategy=mirrored",
    ),
    "official run_squad.py on a TPU": ("train", GARDEN_SQUAD + "--train_batch_size=32 " + TPU),
    "tf1_to_keras_checkpoint_converter.py": (
        "convert-tf2",
        "--checkpoint_from_path=$BERT_BASE_DIR/bert_model.ckpt --checkpoint_to_path=$WORK/tf2_model/bert_model.ckpt",
    ),
    "tf2_encoder_checkpoint_converter.py": (
        "convert-tf2",
        (
            "--bert_config_file=$BERT_BASE_DIR/bert_config.json --checkpoint_to_convert=$BERT_BASE_DIR/bert_model.ckpt "
            "--converted_checkpoint_path=$WORK/tf2_model/bert_model.ckpt --checkpoint_model_name=model "
            "--converted_model=pretrainer"
        ),
    ),
    # AWS's bert_demo
    "tune_save.sh": (
        "finetune",
        GOOGLE + "--task_name=MRPC --do_train=true --do_eval=true --do_predict=true --data_dir=$GLUE_DIR/MRPC "
        "--max_seq_length=128 --train_batch_size=32 --learning_rate=2e-5 --num_train_epochs=3.0 "
        "--output_dir=./bert-saved-model",
    ),
    "tune_save.sh, again": (
        "finetune",
        GOOGLE + "--task_name=MRPC --do_predict=true --data_dir=$GLUE_DIR/MRPC --max_seq_length=128 "
        "--output_dir=./bert-saved-model",
    ),
    "bert_model.py": (
        "neuron-compile",
        (
            "--input_saved_model $WORK/saved --output_saved_model ./bert-saved-model-neuron --batch_size=6 "
            "--sequence_length=128 --crude_gelu"
        ),
    ),
    "bert_model.py, aggressive": (
        "neuron-compile",
        (
            "--input_saved_model $WORK/saved --output_saved_model ./bert-saved-model-neuron --batch_size=6 "
            "--aggressive_optimizations"
        ),
    ),
}
PLACES = {
    "BERT_BASE_DIR": "bert/uncased_L-12_H-768_A-12",
    "BERT_DIR": "keras_bert/uncased_L-24_H-1024_A-16",
    "BERT_REPO_DIR": "repo",
    "GLUE_DIR": "glue",
    "XNLI_DIR": "xnli",
    "SQUAD_DIR": "squad",
    "SQUAD_VERSION": "v1.1",
    "TASK": "MRPC",
    "OUTPUT_DIR": "out",
    "MODEL_DIR": "my_output_dir",
    "TRAINED_CLASSIFIER": "mrpc_output/model.ckpt-343",
    "TPU_NAME": "mine",
    "TPU_IP_ADDRESS": "10.0.0.1",
    "WORK": "work",
}
