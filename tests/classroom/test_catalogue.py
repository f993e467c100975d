from tlcourse.classroom.catalogue import WORDS


def test_words_are_pairs_that_begin_with_their_key():
    assert all(pair[0] == english and pair[1].strip() for english, pair in WORDS.items())


def test_the_words_that_most_figures_need_are_there():
    needed = {
        "epoch", "step", "accuracy", "loss", "training", "validation", "test", "seconds", "images", "seed", "mean",
        "number of training images", "learning rate", "method", "from scratch", "linear probe", "fine-tuned",
        "frozen", "95 % interval", "chance",
    }  # fmt: skip
    assert needed <= WORDS.keys()


def test_terms_are_the_course_s_own():
    assert WORDS["learning rate"][1] == "współczynnik uczenia"
    assert WORDS["fine-tuning"][1] == "dostrajanie"
    assert WORDS["training from scratch"][1] == "trening od zera"
    assert WORDS["seed"][1] == "ziarno losowości"
