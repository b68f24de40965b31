"""In the place of Hugging Face's tokenizers, in environments that do not have it: enough to be imported."""
