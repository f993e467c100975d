# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: DARLA, pl: DARLA}
#     minutes: 60
#     seconds: 48
#     prerequisites: ["10_policy_distillation"]
# ---

# %% [markdown] lang="en"
# # DARLA
#
# A robot has learned to reach for red parts on a dark table. Tomorrow the parts are blue. Whoever learns seeing and acting in one go has learned *red on dark*; whoever learned to see first may have learned *part* and *table*. This lesson tests whether that is true, when, and why.
#
# **After this lesson you will be able to**
#
# - derive the evidence lower bound of a variational autoencoder, and say what beta does to it,
# - build an agent in three steps, see, act and transfer, with eyes that stay frozen while it acts,
# - measure whether a latent variable stands for one factor of the world, and say what the measure misses,
# - predict from a few pixels where an agent that learns from them will fail,
# - say what a transfer is due to: the representation, what the eyes have seen, or the architecture.
#
# **You need**: [lesson 10](10_policy_distillation.ipynb) for DQN and the divergence, the normal distribution, expectations. **Time**: about an hour; the code runs in
# under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # DARLA
#
# Robot nauczył się sięgać po czerwone części na ciemnym stole. Jutro części będą niebieskie. Kto uczy się patrzeć i działać naraz, ten nauczył się *czerwonego na ciemnym*; kto najpierw nauczył się patrzeć, mógł się nauczyć *części* i *stołu*. Tutaj sprawdzisz, czy to prawda, kiedy i dlaczego.
#
# **Po tej lekcji będziesz umieć**
#
# - wyprowadzić dolne ograniczenie wiarygodności autoenkodera wariacyjnego i powiedzieć, co zmienia w nim beta,
# - zbudować agenta w trzech krokach (patrzenie, działanie, transfer), z oczami zamrożonymi na czas działania,
# - zmierzyć, czy zmienna ukryta odpowiada jednemu czynnikowi świata, i powiedzieć, czego ta miara nie widzi,
# - przewidzieć z kilku pikseli, gdzie zawiedzie agent, który się na nich uczy,
# - rozpoznać, czemu zawdzięczasz transfer: reprezentacji, temu, co oczy widziały, czy architekturze.
#
# **Co trzeba umieć**: z [lekcji 10](10_policy_distillation.ipynb) DQN i dywergencja, poza tym rozkład normalny i wartość oczekiwana. **Czas**: około godziny; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("12_darla", lang="en")

# %% tags=["imports"]
import matplotlib.pyplot as plt
import numpy as np
import torch

from tlcourse.beta_vae import BetaVAE, beta_vae_loss, reconstruction_error
from tlcourse.classroom import (
    Prediction, Quiz, check, claim, explore, heat_map, image_grid, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.classroom.run import ROOT
from tlcourse.darla import Latents, act, load_vision, see, transfer
from tlcourse.disentanglement import mutual_information, mutual_information_gap
from tlcourse.rl.dqn import train_dqn
from tlcourse.rl.episodic_control import train_episodic_control
from tlcourse.rl.q_networks import QNetwork, mlp_trunk
from tlcourse.rl.support import evaluate_policy
from tlcourse.robots.colour_world import ColourWorld, render, sample_factors
from tlcourse.runtime import seed_everything

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# An infant looks for months before it grasps anything. Nobody rewards it for looking; when it begins to reach, it already knows that a thing stays the same thing when the light changes. Nor does a learner driver with twenty lessons at noon have to learn to see again for her first drive at dusk.
#
# Reinforcement-learning agents usually learn both at once: from pixels to actions, by rewards alone. What the rewards do not ask for, they do not learn to see. **DARLA**, the *disentangled representation learning agent* (Higgins et al. 2017, [arXiv 1707.08475](https://arxiv.org/abs/1707.08475)), takes the infant's way, in three steps:
#
# 1. **See**: learn from many pictures, without labels and rewards, which few numbers describe them.
# 2. **Act**: freeze these eyes, and learn to act on what they say, in the source domain.
# 3. **Transfer**: go to the target domain, and learn nothing more (*zero-shot* transfer).
#
# Our world is small enough to be understood completely. A white rover on a rail is to stand under a coloured object; each of the 30 steps of an episode that ends under it brings a reward of 1. Four factors make a picture of 16 × 16 pixels: the rover's place, the object's place, the colour of the floor (from black to magenta) and the colour of the object (red, by way of green, to blue).
# %% [markdown] lang="pl"
# ## Pomysł
#
# Niemowlę przez miesiące tylko patrzy, zanim po cokolwiek sięgnie. Nikt go za patrzenie nie nagradza; ale gdy zaczyna sięgać, wie już, że rzecz pozostaje tą samą rzeczą, gdy zmienia się światło. Także kierowczyni nie uczy się patrzeć od nowa, gdy po dwudziestu jazdach w południe pierwszy raz jedzie o zmierzchu.
#
# W uczeniu ze wzmocnieniem (ang. *reinforcement learning*) agent uczy się zwykle patrzenia i działania naraz: od pikseli do akcji (ang. *action*), wyłącznie z nagród. Czego nagrody nie wymagają, tego nie uczą się widzieć. **DARLA** (ang. *disentangled representation learning agent*; Higgins i in. 2017, [arXiv 1707.08475](https://arxiv.org/abs/1707.08475)) idzie drogą niemowlęcia, w trzech krokach:
#
# 1. **Patrz**: z wielu obrazów, bez etykiet i bez nagród, naucz się opisywać je kilkoma liczbami.
# 2. **Działaj**: zamroź te oczy i naucz się działać na podstawie tego, co mówią, w domenie źródłowej (ang. *source domain*).
# 3. **Przenieś**: przejdź do domeny docelowej (ang. *target domain*) i nie ucz się już niczego (transfer bez przykładów, ang. *zero-shot*).
#
# Nasz świat jest na tyle mały, że da się go przejrzeć na wylot. Biały łazik na szynie ma stanąć pod kolorowym przedmiotem; każdy z 30 kroków epizodu, po którym pod nim stoi, daje nagrodę (ang. *reward*) 1. Obraz 16 × 16 pikseli tworzą cztery czynniki: położenie łazika, położenie przedmiotu, kolor podłogi (od czarnego do magenty) i kolor przedmiotu (od czerwonego przez zielony do niebieskiego).

# %%
names = {"source": t("source", "źródłowa"), "target": t("target", "docelowa"), "everything": t("everything", "wszystko")}
rng = np.random.default_rng(SEED)
shown = np.concatenate([render(sample_factors(8, domain, rng)) for domain in names])
show(image_grid(shown, rows=3, row_names=list(names.values())),
     alt=t("Three rows of pictures with a disc above and a white box below. Source: red discs on black, blue ones on magenta. Target: blue on black, red on magenta. Everything: any colour on any floor.",
           "Trzy rzędy obrazów z kołem u góry i białym prostokątem u dołu. Źródłowa: czerwone koła na czarnym, niebieskie na magencie. Docelowa: niebieskie na czarnym, czerwone na magencie. Wszystko: dowolny kolor na dowolnej podłodze."))

# %% [markdown] lang="en"
# The source domain shows reddish objects on dark floors and bluish ones on magenta floors. The target domain has the same floors and the same objects, but swapped: **each colour has been seen, the combination has not.** The task is the same; a person would not even hesitate.
#
# Look at the pictures as a network gets them, channel by channel. Black is (0, 0, 0), red (1, 0, 0), magenta (1, 0, 1), blue (0, 0, 1).
# %% [markdown] lang="pl"
# Domena źródłowa pokazuje czerwonawe przedmioty na ciemnej podłodze i niebieskawe na magencie. Domena docelowa ma te same podłogi i te same przedmioty, ale zamienione: **każdy kolor już był, takiego połączenia nie było.** Zadanie jest to samo; człowiek nawet by się nie zawahał.
#
# Spójrz na obrazy tak, jak dostaje je sieć, kanał po kanale. Czarny to (0, 0, 0), czerwony (1, 0, 0), magenta (1, 0, 1), niebieski (0, 0, 1).

# %%
corners = {"source": [(0, 0), (1, 1)], "target": [(0, 1), (1, 0)]}
tones = {(0, 0): t("red on black", "czerwony na czarnym"), (1, 1): t("blue on magenta", "niebieski na magencie"), (0, 1): t("blue on black", "niebieski na czarnym"), (1, 0): t("red on magenta", "czerwony na magencie")}
fig, axes = plt.subplots(2, 4, figsize=(8.5, 4.4))
for column, (domain, colours) in enumerate((domain, pair) for domain, pairs in corners.items() for pair in pairs):
    picture = render(np.array([[0.3, 0.6, *colours]]))[0]
    for row, channel in enumerate((0, 2)):
        axes[row, column].imshow(picture[channel], cmap="gray", vmin=0, vmax=255)
        axes[row, column].set(xticks=[], yticks=[])
        axes[row, column].spines[:].set_visible(True)
    axes[0, column].set_title(f"{names[domain]}:\n{tones[colours]}", fontsize=9)
for row, channel in enumerate((t("red channel", "kanał czerwony"), t("blue channel", "kanał niebieski"))):
    axes[row, 0].set_ylabel(channel)
show(fig, alt=t("Grey pictures of the red and the blue channel. In both source pictures the disc shows in the red channel only, in both target pictures in the blue channel only.",
                "Szare obrazy kanału czerwonego i niebieskiego. Na obu obrazach źródłowych koło widać tylko w kanale czerwonym, na obu docelowych tylko w niebieskim."))

# %% [markdown] lang="en"
# In the source the object shows in the red channel and not at all in the blue one; in the target it is the other way round. (These are the extreme colours. In the game, colours are within a fifth of the range of them. Then in the source the blue channel shows the object faintly; the green one, in both domains alike, a little more; but red shows it so much better that an agent can do without the other two.) An agent that learns from pixels in the source has hardly a reason to look for the object in the blue channel.
#
# First DARLA's rival: DQN on raw pixels, with two fully connected layers. It plays 64 rovers at once and makes 2000 updates. (No rover gets 30: it has to drive there first, a tenth of the rail in a step; about 28 is the best possible.)
# %% [markdown] lang="pl"
# W domenie źródłowej przedmiot widać w kanale czerwonym, a w niebieskim wcale; w docelowej na odwrót. (To kolory skrajne. W grze kolory odbiegają od nich o najwyżej jedną piątą zakresu. Wtedy w domenie źródłowej kanał niebieski pokazuje przedmiot słabo; zielony, w obu domenach jednakowo, trochę lepiej; ale czerwony o tyle wyraźniej, że agent może się bez tamtych dwóch obejść.) Agent, który uczy się z pikseli w domenie źródłowej, prawie nie ma powodu szukać przedmiotu w kanale niebieskim.
#
# Najpierw rywal: DQN na surowych pikselach, z dwiema warstwami gęstymi. Gra 64 łazikami naraz i robi 2000 aktualizacji. (Żaden łazik nie zdobędzie 30: najpierw musi dojechać, o jedną dziesiątą szyny na krok; około 28 to najlepszy możliwy zwrot.)

# %% tags=["predict"]
guess = Prediction(
    t("In the source it will return about 28 of 30. And in the target? (A random rover returns about 6.)",
      "W domenie źródłowej zwrot wyniesie około 28 z 30. A w docelowej? (Łazik poruszający się losowo ma około 6.)"),
    low=0, high=30, step=1,
)
guess


# %%
def returns(policy, wrap=lambda env: env):
    return {domain: evaluate_policy(policy, wrap(ColourWorld(256, domain)), 256, seed=10_000).mean() for domain in ("source", "target")}


world = ColourWorld(64)
seed_everything(SEED)
from_pixels = QNetwork(mlp_trunk(world.single_observation_space), actions=3)
train_dqn(world, from_pixels, updates=2_000, seed=SEED, buffer_size=20_000)
live = {"DQN, pixels": returns(from_pixels.act)}
guess.compare(live["DQN, pixels"]["target"])

# %% [markdown] lang="en"
# Nearly perfect in the source, and in the target hardly better than a random rover. It seems to have learned not where the object is, but where *the red channel* changes.
#
# ## The mathematics of seeing
#
# **A story of how pictures come about.** A picture $x$ is made in two steps: nature draws a few **latent variables** $z$, numbers that we do not see, from the *prior* $p(z) = \mathcal{N}(0, I)$, and then draws the picture from $p_\theta(x \mid z)$. We look for the $\theta$, the weights of a *decoder*, under which the pictures we have are likely: a large $\log p_\theta(x)$, with $p_\theta(x) = \int p_\theta(x \mid z)\, p(z)\, \mathrm{d}z$. The integral runs over all $z$ and cannot be computed. So a second network, the *encoder* with the weights $\phi$, guesses which $z$ a picture came from; it approximates the *posterior* $p_\theta(z \mid x)$ by $q_\phi(z \mid x) = \mathcal{N}(\mu(x), \mathrm{diag}\, \sigma^2(x))$. Encoder $q$ and decoder $p$ together are a **variational autoencoder** (VAE; Kingma & Welling 2014, [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)).
#
# **The bound.** Multiply and divide by $q$, and use that the logarithm of a mean is at least the mean of the logarithm (Jensen):
#
# $$\log p_\theta(x) = \log \mathbb{E}_{q}\!\left[ \frac{p_\theta(x \mid z)\, p(z)}{q_\phi(z \mid x)} \right] \;\ge\; \mathbb{E}_{q}\big[ \log p_\theta(x \mid z) \big] - \mathrm{KL}\big( q_\phi(z \mid x) \,\|\, p(z) \big) .$$
#
# The right side is the **evidence lower bound** (ELBO); $\mathbb{E}_q$ is the mean over $z$ drawn from $q_\phi(z \mid x)$. (The logarithm of the quotient falls into $\log p_\theta(x \mid z)$ and the rest, whose mean is minus the divergence.) It falls short of $\log p_\theta(x)$ by exactly $\mathrm{KL}(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x))$. So raising it by $\phi$ makes the encoder's guess better, and raising it by $\theta$ lifts a lower limit of how likely the pictures are. Its first term asks that the picture can be made again from $z$; the second, the Kullback–Leibler divergence of lesson 10, that the guesses stay close to the prior. If $p_\theta(x \mid z)$ is normal around the decoder's picture $x'(z)$ with constant variance $s^2$, the first is a squared error, $-\lVert x - x'(z) \rVert^2 / (2 s^2)$ and a constant, and between normal distributions the second can be written down. Both are *sums*, over pixels and over latent variables:
#
# $$\mathrm{KL} = \frac12 \sum_j \left( \mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1 \right) .$$
#
# It is 0 for $\mu_j = 0$, $\sigma_j = 1$: then $z_j$ says nothing about the picture. Saying something has a price. So that gradients can pass through the random draw, write $z = \mu + \sigma \epsilon$ with $\epsilon \sim \mathcal{N}(0, I)$.
#
# **Beta.** The $\beta$-VAE (Higgins et al. 2017, *beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework*) raises the price:
#
# $$L = \mathbb{E}_{q}\big[ -\log p_\theta(x \mid z) \big] + \beta\, \mathrm{KL} .$$
#
# Whatever $z$ says costs KL, so with a larger $\beta$ the network keeps only what lowers the error most. The hope is that one latent variable for each independent factor of the world is the cheapest way: as $q$ has a diagonal covariance, it can be precise about one factor and vague about another only if they lie along different axes. (The prior alone, the same in every rotated coordinate system, would not care. And only the product $\beta s^2$ decides where the minimum is; we have $s^2 = 0.02$, so values of $\beta$ cannot be compared between papers.) A representation in which each latent variable stands for one factor is called **disentangled**. In the code, the formulas (the divergence you will write yourself, in exercise 1):
# %% [markdown] lang="pl"
# W domenie źródłowej prawie bezbłędny, w docelowej niewiele lepszy od łazika losowego. Wygląda na to, że nauczył się nie tego, gdzie jest przedmiot, tylko tego, gdzie zmienia się *kanał czerwony*.
#
# ## Matematyka patrzenia
#
# **Opowieść o tym, skąd biorą się obrazy.** Obraz $x$ powstaje w dwóch krokach: natura losuje nieliczne **zmienne ukryte** (ang. *latent variables*) $z$, liczby, których nie widzimy, z *rozkładu a priori* (ang. *prior*) $p(z) = \mathcal{N}(0, I)$, a potem losuje obraz z $p_\theta(x \mid z)$. Szukamy $\theta$, wag *dekodera*, przy których obrazy, które mamy, są prawdopodobne: dużego $\log p_\theta(x)$, gdzie $p_\theta(x) = \int p_\theta(x \mid z)\, p(z)\, \mathrm{d}z$. Całka przebiega wszystkie $z$ i nie da się jej obliczyć. Dlatego druga sieć, *enkoder* o wagach $\phi$, zgaduje, z jakiego $z$ powstał obraz; przybliża *rozkład a posteriori* (ang. *posterior*) $p_\theta(z \mid x)$ przez $q_\phi(z \mid x) = \mathcal{N}(\mu(x), \mathrm{diag}\, \sigma^2(x))$. Enkoder $q$ i dekoder $p$ razem to **autoenkoder wariacyjny** (ang. *variational autoencoder*, VAE; Kingma i Welling 2014, [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)).
#
# **Ograniczenie.** Pomnóż i podziel przez $q$ i skorzystaj z tego, że logarytm średniej jest nie mniejszy niż średnia logarytmu (nierówność Jensena):
#
# $$\log p_\theta(x) = \log \mathbb{E}_{q}\!\left[ \frac{p_\theta(x \mid z)\, p(z)}{q_\phi(z \mid x)} \right] \;\ge\; \mathbb{E}_{q}\big[ \log p_\theta(x \mid z) \big] - \mathrm{KL}\big( q_\phi(z \mid x) \,\|\, p(z) \big) .$$
#
# Prawa strona to **dolne ograniczenie wiarygodności** (ang. *evidence lower bound*, ELBO); $\mathbb{E}_q$ to średnia po $z$ losowanych z $q_\phi(z \mid x)$. (Logarytm ilorazu rozpada się na $\log p_\theta(x \mid z)$ i resztę, której średnia to minus dywergencja.) Do $\log p_\theta(x)$ brakuje mu dokładnie $\mathrm{KL}(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x))$. Gdy więc podnosimy je, zmieniając $\phi$, enkoder zgaduje trafniej, a gdy zmieniamy $\theta$, podnosimy dolną granicę tego, jak prawdopodobne są obrazy. Pierwszy składnik żąda, żeby z $z$ dało się odtworzyć obraz; drugi, dywergencja Kullbacka–Leiblera (ang. *Kullback–Leibler divergence*) z lekcji 10, żeby odgadnięte rozkłady trzymały się blisko rozkładu a priori. Gdy $p_\theta(x \mid z)$ jest rozkładem normalnym o wartości oczekiwanej $x'(z)$, czyli obrazie z dekodera, i stałej wariancji $s^2$, pierwszy jest błędem kwadratowym, $-\lVert x - x'(z) \rVert^2 / (2 s^2)$ plus stała, a drugi między rozkładami normalnymi da się wypisać. Oba są *sumami*, po pikselach i po zmiennych ukrytych:
#
# $$\mathrm{KL} = \frac12 \sum_j \left( \mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1 \right) .$$
#
# Dla $\mu_j = 0$, $\sigma_j = 1$ wynosi 0: wtedy $z_j$ nic o obrazie nie mówi. Powiedzieć coś kosztuje. Żeby gradient przechodził przez losowanie, zapisz $z = \mu + \sigma \epsilon$, gdzie $\epsilon \sim \mathcal{N}(0, I)$.
#
# **Beta.** $\beta$-VAE (Higgins i in. 2017, *beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework*) podnosi cenę:
#
# $$L = \mathbb{E}_{q}\big[ -\log p_\theta(x \mid z) \big] + \beta\, \mathrm{KL} .$$
#
# Wszystko, co mówi $z$, kosztuje KL, więc przy większym $\beta$ sieć zachowuje tylko to, co najbardziej zmniejsza błąd. Nadzieja jest taka, że najtaniej jest dać każdemu niezależnemu czynnikowi świata osobną zmienną ukrytą: $q$ ma diagonalną macierz kowariancji, więc może być dokładne co do jednego czynnika, a niedokładne co do innego tylko wtedy, gdy leżą wzdłuż różnych osi. (Samemu rozkładowi a priori, jednakowemu w każdym obróconym układzie współrzędnych, byłoby wszystko jedno. A o tym, gdzie leży minimum, decyduje tylko iloczyn $\beta s^2$; u nas $s^2 = 0{,}02$, więc wartości $\beta$ z różnych artykułów nie da się porównywać.) Reprezentacja, w której każda zmienna ukryta odpowiada jednemu czynnikowi, nazywa się **rozdzielona** (ang. *disentangled*). W kodzie te same wzory (dywergencję napiszesz w ćwiczeniu 1):

# %%
show_source(reconstruction_error, beta_vae_loss, BetaVAE.forward)

# %% [markdown] lang="en"
# **See.** Eyes should know every colour before they are asked to act. Our VAE is trained on pictures of *everything*: all factors vary independently, nothing is labelled, nothing is rewarded. That includes the target's combinations, which is more than the paper promises its agent; what is held back is any *reward* there. Training takes about a minute, so two trained visions come with the course (`benchmarks/darla.py` makes them again): one with $\beta = 4$, one with $\beta = 12$, six latent variables each. Such a *vision* is the frozen encoder: it gives the means $\mu(x)$, shifted and scaled so that over the pictures each has mean 0 and a standard deviation of about 1. (The paper compares pictures by learned features instead of pixels; we come to that.)
#
# What does each latent variable stand for? Take one picture and move one latent variable at a time, the others fixed: a **traversal**.
# %% [markdown] lang="pl"
# **Patrz.** Oczy powinny znać wszystkie kolory, zanim agent zacznie działać. Nasz VAE trenujemy na obrazach *wszystkiego*: czynniki zmieniają się niezależnie, nic nie ma etykiety, za nic nie ma nagrody. Są wśród nich też połączenia z domeny docelowej, a to więcej, niż obiecuje swojemu agentowi artykuł; agent nie dostaje natomiast żadnej *nagrody* stamtąd. Trening trwa około minuty, dlatego dwie pary oczu dostajesz razem z kursem (`benchmarks/darla.py` robi je od nowa): jedną z $\beta = 4$, drugą z $\beta = 12$, każdą z sześcioma zmiennymi ukrytymi. Takie *oczy* to zamrożony enkoder: podaje średnie $\mu(x)$, przesunięte i przeskalowane tak, że na obrazach każda ma średnią 0 i odchylenie standardowe około 1. (W artykule porównuje się obrazy nie przez piksele, tylko przez wyuczone cechy; jeszcze do tego wrócimy.)
#
# Za co odpowiada każda ze zmiennych ukrytych? Weź jeden obraz i przesuwaj po jednej zmiennej, pozostałe zostaw bez zmian; taki przegląd to po angielsku *traversal*.

# %%
visions = {beta: load_vision(ROOT / "data" / "vision" / f"beta_{beta}.safetensors") for beta in (4, 12)}
vision, start = visions[4], torch.from_numpy(render(np.array([[0.5, 0.5, 0.2, 0.2]])))


def traversal(eyes, latent, values):
    z = eyes(start).repeat(len(values), 1)
    z[:, latent] = torch.as_tensor(values)
    return eyes.imagine(z)


moved = torch.cat([traversal(vision, latent, np.linspace(-2, 2, 8)) for latent in range(6)])
show(image_grid(moved, rows=6, row_names=[f"z{j}" for j in range(1, 7)]),
     alt=t("Six rows of pictures, in each of which one latent variable grows from left to right.", "Sześć rzędów obrazów; w każdym jedna zmienna ukryta rośnie od lewej do prawej."))

# %% [markdown] lang="en"
# Three rows change one thing: z1 the hue of the object, z4 the brightness of the floor, z5 the rover's place. The others change two, as when the object moves and its hue goes along.
#
# **Measure it.** We made the pictures, so we know their factors $v_k$. The *mutual information* $I(z_j; v_k)$ says how much knowing one narrows down the other; divided by the entropy $H(v_k)$, all there is to know of the factor, it is a share $S_{jk}$ from 0 to 1. (Each variable is cut into 20 intervals with equally many pictures; then $H(v) = -\sum p(v) \log p(v)$ and $I(z; v) = H(v) - H(v \mid z)$.) A matrix of shares shows who speaks of what. The **mutual information gap** (MIG; Chen et al. 2018, [arXiv 1802.04942](https://arxiv.org/abs/1802.04942)) makes one number of it: for each factor the largest share minus the second largest, averaged over the $K$ factors: $\mathrm{MIG} = \frac1K \sum_k (S_{j_1 k} - S_{j_2 k})$, where $j_1$ and $j_2$ are the two latent variables that say most about factor $k$.
# %% [markdown] lang="pl"
# Trzy rzędy zmieniają jedną rzecz: z1 barwę przedmiotu, z4 jasność podłogi, z5 położenie łazika. Pozostałe zmieniają dwie, na przykład przedmiot się przesuwa, a razem z tym zmienia się jego barwa.
#
# **Zmierz to.** Obrazy zrobiliśmy sami, więc znamy ich czynniki $v_k$. *Informacja wzajemna* (ang. *mutual information*) $I(z_j; v_k)$ mówi, o ile znajomość jednego zawęża drugie; podzielona przez entropię $H(v_k)$, czyli wszystko, co można o czynniku wiedzieć, jest udziałem $S_{jk}$ od 0 do 1. (Każdą zmienną dzielimy na 20 przedziałów o równej liczbie obrazów; wtedy $H(v) = -\sum p(v) \log p(v)$, a $I(z; v) = H(v) - H(v \mid z)$.) Macierz udziałów pokazuje, kto mówi o czym. **Luka informacji wzajemnej** (ang. *mutual information gap*, MIG; Chen i in. 2018, [arXiv 1802.04942](https://arxiv.org/abs/1802.04942)) robi z niej jedną liczbę: dla każdego czynnika największy udział minus drugi co do wielkości, uśrednione po $K$ czynnikach: $\mathrm{MIG} = \frac1K \sum_k (S_{j_1 k} - S_{j_2 k})$, gdzie $j_1$ i $j_2$ to dwie zmienne ukryte, które mówią o czynniku $k$ najwięcej.

# %%
factors = sample_factors(6_000, "everything", np.random.default_rng(SEED + 1))
pictures = torch.from_numpy(render(factors))
shares = {beta: mutual_information(eyes(pictures).numpy(), factors) for beta, eyes in visions.items()}
gaps = {beta: mutual_information_gap(matrix) for beta, matrix in shares.items()}
factor_names = [t("rover", "łazik"), t("object", "przedmiot"), t("floor colour", "kolor podłogi"), t("object colour", "kolor przedmiotu")]
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), sharey=True)
for ax, beta in zip(axes, visions):
    heat_map(ax, shares[beta].T, factor_names, [f"z{j}" for j in range(1, 7)], vmin=0, vmax=1)
    ax.set_title(t("β = {}, gap {:.2f}", "β = {}, luka {:.2f}").format(beta, gaps[beta]))
show(fig, alt=t("Two matrices of shares, factors by latent variables. With the larger beta fewer latent variables speak of each factor.",
                "Dwie macierze udziałów, czynniki względem zmiennych ukrytych. Przy większej becie o każdym czynniku mówi mniej zmiennych ukrytych."))

# %% [markdown] lang="en"
# Read the columns: most latent variables speak mainly of one factor. Read the rows: some factors are split over two latent variables. The gap punishes just that, though a split factor is not a mixed one; that a latent variable speaks of two factors it does not punish directly. Of these two, the one with the larger $\beta$ has the larger gap, as hoped: a tighter budget leaves less room for splitting. But that is one seed of each: over the three in the record the mean gaps at 4 and at 12 are about equal, though both are larger than at $\beta = 1$. The seed matters as much; we shall see.
#
# **Explore**: move the latent variables and look at the picture. Which of them does an agent need that only has to know where the object is, one or several? (With the other $\beta$, z1 to z6 stand for other things.)
# %% [markdown] lang="pl"
# Czytaj kolumnami: większość zmiennych ukrytych mówi głównie o jednym czynniku. Czytaj wierszami: niektóre czynniki są podzielone między dwie zmienne ukryte. Luka karze właśnie za to, choć czynnik podzielony to nie to samo co pomieszany; za to, że jedna zmienna ukryta mówi o dwóch czynnikach, wprost nie karze. Z tych dwojga oczu większą lukę mają te z większym $\beta$, zgodnie z nadzieją: kto musi więcej oszczędzać, ten mniej dzieli. To jednak po jednym ziarnie losowości: z trzech zapisanych ziaren wychodzą przy 4 i 12 średnio mniej więcej równe luki, choć obie większe niż przy $\beta = 1$. Ziarno ma wpływ nie mniejszy; jeszcze to zobaczysz.
#
# **Zbadaj**: przesuwaj zmienne ukryte i patrz na obraz. Których z nich potrzebuje agent, który musi wiedzieć tylko, gdzie jest przedmiot, jednej czy kilku? (Przy drugim $\beta$ z1 do z6 znaczą co innego.)

# %% tags=["widget"]
def draw(beta, **latents):
    image = visions[beta].imagine(torch.tensor([list(latents.values())]))[0].permute(1, 2, 0)
    fig, ax = plt.subplots(figsize=(3, 3))
    ax.imshow(image)
    ax.set(xticks=[], yticks=[], title=f"β = {beta}")
    said = ", ".join(f"{name} = {value:.1f}" for name, value in latents.items())
    return fig, t(f"The picture that the vision imagines at {said}.", f"Obraz, który wyobrażają sobie oczy przy {said}.")


explorer = explore(draw, beta=[4, 12], **{f"z{j}": (-2.0, 2.0, 0.5) for j in range(1, 7)},
                   labels={"beta": "β"} | {f"z{j}": f"z{j}" for j in range(1, 7)})
for j in range(1, 7):
    explorer.controls[f"z{j}"].value = 0.0
explorer

# %% [markdown] lang="en"
# ## Act and transfer
#
# The three steps are three functions. `Latents` wraps the world so that its observations are what the frozen vision says; then any learner may act.
# %% [markdown] lang="pl"
# ## Działaj i przenieś
#
# Trzy kroki to trzy funkcje. `Latents` opakowuje świat tak, że jego obserwacje (ang. *observations*) są tym, co mówią zamrożone oczy; działać może potem dowolny algorytm.

# %%
show_source(see, act, transfer)

# %% [markdown] lang="en"
# Beside DQN we let another learner try: **episodic control** (Blundell et al. 2016, [arXiv 1606.04460](https://arxiv.org/abs/1606.04460)). It trains nothing. For each action it keeps a table of states, each with the *highest* return that ever followed the action there; in a new state it averages over the most similar ones in the table. It takes the action that promises most. What *similar* means is up to the representation: distances between pictures (for speed, between random projections of them), or between latent variables.
# %% [markdown] lang="pl"
# Obok DQN wypróbujmy jeszcze **sterowanie epizodyczne** (ang. *episodic control*; Blundell i in. 2016, [arXiv 1606.04460](https://arxiv.org/abs/1606.04460)). Niczego ono nie trenuje. Dla każdej akcji prowadzi tabelę stanów, a przy każdym z nich *najwyższy* zwrot (ang. *return*), jaki kiedykolwiek po tej akcji nastąpił; w nowym stanie uśrednia zwroty z najbardziej podobnych stanów w tabeli. Wybiera akcję, która obiecuje najwięcej. Co znaczy *podobne*, zależy od reprezentacji: odległość obrazów (dla szybkości ich losowych rzutów) albo odległość zmiennych ukrytych.

# %% tags=["predict"]
guess = Prediction(
    t("What will DQN on the frozen vision with β = 4 return in the target?", "Jaki zwrot w domenie docelowej osiągnie DQN na zamrożonych oczach z β = 4?"),
    low=0, high=30, step=1,
)
guess

# %%
def through(eyes):
    return lambda env: Latents(env, eyes)


agent = act(vision, world, updates=2_000, seed=SEED)
live["DQN, DARLA"] = returns(agent.act, through(vision))
remembering, _ = train_episodic_control(world, steps=30_000, seed=SEED)
live["episodic control, pixels"] = returns(remembering.act)
remembering, _ = train_episodic_control(Latents(world, vision), steps=30_000, embed=lambda z: z, seed=SEED)
live["episodic control, DARLA"] = returns(remembering.act, through(vision))
guess.compare(live["DQN, DARLA"]["target"])

# %%
says = {"DQN, pixels": t("DQN, pixels", "DQN, piksele"), "DQN, DARLA": "DQN, DARLA",
        "episodic control, pixels": t("episodic control, pixels", "sterowanie epizodyczne, piksele"),
        "episodic control, DARLA": t("episodic control, DARLA", "sterowanie epizodyczne, DARLA")}
table([(says[name], f"{row['source']:.1f}", f"{row['target']:.1f}") for name, row in live.items()],
      [t("return, of 30", "zwrot, z 30"), *list(names.values())[:2]])

# %% [markdown] lang="en"
# Both learners lose most of what they had when they work from pixels, and keep most of it with DARLA's eyes. The agent never earned a reward with a blue object on a dark floor. A likely explanation: from what its eyes say, the object's place can be read off there as well, though no latent variable speaks of it alone, and that is what the agent acts on.
#
# One run is one run. The record has five seeds of the agents on pixels and on the true factors, and three seeds of each vision with three agents or more. It also has what we have left out so far.
# %% [markdown] lang="pl"
# Gdy oba algorytmy uczą się z pikseli, w domenie docelowej tracą większość zwrotu; z oczami DARLA większość zachowują. Agent nigdy nie dostał nagrody przy niebieskim przedmiocie na ciemnej podłodze. Prawdopodobne wyjaśnienie: z tego, co mówią oczy, także tam da się odczytać, gdzie jest przedmiot, choć żadna zmienna ukryta nie mówi tylko o tym, a na tym agent opiera swoje działanie.
#
# Jeden przebieg to jeden przebieg. Zapisane są wyniki pięciu ziaren losowości dla agentów na pikselach i na prawdziwych czynnikach oraz trzech ziaren dla każdych oczu, z co najmniej trzema agentami na każdych. Jest tam też to, co dotychczasowa opowieść pomija.

# %%
record = recorded("darla")
agents, eyes = record.results["agents"], record.results["visions"]


def of_vision(name, domain, learner="DQN"):
    return [np.mean(row[learner][domain]) for row in eyes[name]]


rows = {
    t("DQN, pixels", "DQN, piksele"): agents["DQN, pixels"],
    t("A2C, pixels", "A2C, piksele"): agents["A2C, pixels"],
    t("episodic control, pixels", "sterowanie epizodyczne, piksele"): agents["episodic control, pixels"],
    t("DQN, convolutional, pixels", "DQN splotowy, piksele"): agents["DQN, pixels, convolutional"],
    t("DQN, pixels, colours twice as varied", "DQN, piksele, dwa razy większa rozpiętość kolorów"): agents["DQN, pixels, spread 0.4"],
    t("DQN, true factors", "DQN, prawdziwe czynniki"): agents["DQN, true factors"],
    t("DQN, true factors, extreme colours only", "DQN, prawdziwe czynniki, tylko kolory skrajne"): agents["DQN, true factors, spread 0"],
    **{f"DQN, DARLA, β = {beta}": {d: of_vision(f"beta {beta}", d) for d in ("source", "target")} for beta in (1, 4, 12)},
    "A2C, DARLA, β = 4": {d: of_vision("beta 4", d, "A2C") for d in ("source", "target")},
    t("episodic control, DARLA, β = 4", "sterowanie epizodyczne, DARLA, β = 4"): {d: of_vision("beta 4", d, "episodic control") for d in ("source", "target")},
}
table([(name, mean_pm(row["source"], 1), mean_pm(row["target"], 1)) for name, row in rows.items()],
      [t("return, of 30 (random: about 6)", "zwrot, z 30 (losowo: około 6)"), *list(names.values())[:2]])
record.note()

# %% [markdown] lang="en"
# (± is a 95 % interval, over agents or, for DARLA, over the means of three visions; with three it is wide.) The two other learners fail on pixels as DQN does: A2C, which learns a policy directly, together with an estimate of the return to be expected (*actor-critic*; the synchronous form of the paper's A3C; Mnih et al. 2016, [arXiv 1602.01783](https://arxiv.org/abs/1602.01783)), and episodic control. With DARLA's eyes all three transfer. Higgins et al. report that DARLA is ahead of its baselines in zero-shot transfer, over several environments (DeepMind Lab, a Jaco arm) and several learners (DQN, A3C and episodic control). Their worlds are three-dimensional, their pictures larger, their training longer by far; ours is small, and made so that pixels mislead.
#
# Four results do not fit this story. (Most of the recorded agents trained longer than those above: DQN for half as many updates again, the convolutional one for fewer, episodic control for twice as many steps.)
#
# - **The convolutional DQN does not fail.** A likely reason: a filter is used at every place. The white rover shows in all three channels, so filters learn to find edges in blue as well, and the same filters run over the object. In fully connected layers each pixel of each channel has a weight of its own, and those of the blue pixels *at the object's height* were hardly needed. So an architecture that fits can do what DARLA does here.
# - **More variety of colour is enough, too.** Let colours stray twice as far from the extremes as before, in the source and in the target: the same DQN on pixels, without any eyes trained apart, then keeps most of its return. Probably it can no longer rely on the red channel: sometimes the object is mostly green, and hardly differs in red from a brighter floor, so the other channels are worth learning, too. That is the domain randomization of [lesson 07](07_sim_to_real.ipynb), where the colours vary *while the agent acts*.
# - **The true factors are not enough.** An agent that is *told* the four factors, the most disentangled representation there is, transfers with some seeds and fails with others; the more so if only the extreme colours occur. In the source, floor and object always change colour together. What its network makes of them apart, nobody has ever asked, so chance decides. A representation says what is what; that colour does not matter, only experience can say.
# - **A plain VAE, $\beta = 1$, transfers at least as well** as 4 and 12, whose gaps are larger on average. Is it disentanglement that helps at all?
# %% [markdown] lang="pl"
# (± to przedział ufności 95 %, po agentach, a dla DARLA po średnich trzech par oczu; przy trzech jest szeroki.) Na pikselach zawodzą też dwa pozostałe algorytmy: A2C, które uczy się od razu polityki, a razem z nią oszacowania spodziewanego zwrotu (ang. *actor-critic*; synchroniczna postać użytego w artykule A3C; Mnih i in. 2016, [arXiv 1602.01783](https://arxiv.org/abs/1602.01783)), oraz sterowanie epizodyczne. Z oczami DARLA transfer udaje się wszystkim trzem. Higgins i in. podają, że w transferze bez przykładów DARLA wyprzedza metody porównawcze w kilku środowiskach (DeepMind Lab, ramię Jaco) i z kilkoma algorytmami (DQN, A3C i sterowanie epizodyczne). Ich światy są trójwymiarowe, obrazy większe, a trening nieporównanie dłuższy; nasz jest mały i zrobiony tak, żeby piksele wprowadzały w błąd.
#
# Cztery wyniki do tej opowieści nie pasują. (Większość zapisanych agentów trenowała dłużej niż ci powyżej: DQN miał o połowę więcej aktualizacji, splotowy mniej, a sterowanie epizodyczne dwa razy więcej kroków.)
#
# - **DQN splotowy nie zawodzi.** Prawdopodobny powód: ten sam filtr działa w każdym miejscu. Biały łazik widać we wszystkich trzech kanałach, więc filtry uczą się znajdować krawędzie także w niebieskim, a te same filtry przebiegają potem po przedmiocie. W warstwach gęstych każdy piksel każdego kanału ma osobną wagę, a wagi niebieskich pikseli *na wysokości przedmiotu* prawie nie były potrzebne. Odpowiednia architektura potrafi więc tutaj to samo co DARLA.
# - **Wystarcza też większa różnorodność kolorów.** Niech w domenie źródłowej i docelowej kolory odbiegają od skrajnych dwa razy dalej niż dotąd: ten sam DQN na pikselach, bez żadnych osobno trenowanych oczu, zachowuje wtedy większość zwrotu. Prawdopodobnie nie może już polegać na kanale czerwonym: przedmiot bywa głównie zielony i w czerwieni prawie nie różni się od jaśniejszej podłogi, więc opłaca się korzystać także z pozostałych kanałów. To randomizacja domeny (ang. *domain randomization*) z [lekcji 07](07_sim_to_real.ipynb): kolory zmieniają się wtedy, gdy agent *działa*.
# - **Prawdziwe czynniki nie wystarczą.** Agent, któremu cztery czynniki po prostu *podano*, a trudno o reprezentację bardziej rozdzieloną, przy jednych ziarnach przenosi się dobrze, a przy innych zawodzi, tym częściej, gdy występują tylko kolory skrajne. W domenie źródłowej kolory podłogi i przedmiotu zawsze zmieniają się razem. Co sieć zrobi z nimi osobno, o to nikt jej nigdy nie pytał, więc decyduje przypadek. Reprezentacja mówi, co jest czym; że kolor nie ma znaczenia, może powiedzieć tylko doświadczenie.
# - **Zwykły VAE, $\beta = 1$, przenosi się co najmniej tak dobrze** jak 4 i 12, które mają średnio większe luki. Czy rozdzielenie w ogóle tu pomaga?

# %%
fig, ax = plt.subplots(figsize=(7, 3.6))
kinds = {"untrained": (t("untrained", "bez treningu"), "grey", "X"), "beta 4, source only": (t("β = 4, source only", "β = 4, tylko źródłowa"), "orange", "v"), "beta 1": ("β = 1", "sky", "o"),
         "beta 4": ("β = 4", "red", "s"), "beta 4, perceptual": (t("β = 4, perceptual", "β = 4, strata percepcyjna"), "purple", "D"), "beta 12": ("β = 12", "green", "^")}
for kind, (label, colour, marker) in kinds.items():
    ax.plot([row["gap"] for row in eyes[kind]], of_vision(kind, "target"), marker, color=palette(colour), label=label)
ax.axhline(np.mean(agents["DQN, pixels"]["target"]), color=palette("black"), linestyle=":", label=t("DQN, pixels", "DQN, piksele"))
ax.set(xlabel=t("mutual information gap", "luka informacji wzajemnej"), ylabel=t("return in the target, of 30", "zwrot w domenie docelowej, z 30"), ylim=(0, 30))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(fig, alt=t("Return in the target against the gap, a mark for each vision. Those that saw everything lie highest, a few of them clearly lower than the rest, and do not rise with the gap; below them lie those that saw only the source, then a dotted line, DQN on pixels, and under it the untrained ones.",
                "Zwrot w domenie docelowej względem luki, jeden znak na każdą parę oczu. Najwyżej leżą te, które widziały wszystko, kilka wyraźnie niżej niż reszta; z luką nie rosną. Pod nimi leżą te, które widziały tylko domenę źródłową, dalej kropkowana linia, DQN na pikselach, a pod nią oczy bez treningu."))

# %% [markdown] lang="en"
# Each mark is a vision with its agents. Among those that have seen everything, more disentangled ones do not transfer better. What counts is **what the eyes have seen**. With the same $\beta$ and only pictures of the source, they never had to read the object's place off other combinations of its colour and the floor's, and about a third of the lead over pixels is left. With untrained eyes the agent does not even learn the source well. Look also at the spread of one colour along the axis: seeds alone move the gap as much as $\beta$ does. (This does not refute the paper, in whose harder tasks entangled representations did worse than disentangled ones. But Locatello et al. 2019, [arXiv 1811.12359](https://arxiv.org/abs/1811.12359), who trained thousands of such networks, found no sign either that disentanglement by itself makes later learning easier. They also prove that without assumptions about model and data, *inductive biases*, nothing guarantees that it comes about at all.)
#
# The purple diamonds use DARLA's **perceptual loss**: compare $x$ and $x'$ not by pixels, but by the features $J$ of a *denoising autoencoder*, trained to fill in hidden patches, $\lVert J(x) - J(x') \rVert^2$. It is meant for pictures in which a small thing matters much. Ours have few pixels, and the object is large: here it did rather worse, but then its settings were not tuned.
#
# ## When it fails
#
# See it happen: eyes trained here and now, for a dozen seconds or so, on pictures of the source alone. (A short training, too; the orange triangles above had the full one.)
# %% [markdown] lang="pl"
# Każdy znak to jedne oczy ze swoimi agentami. Wśród tych, które widziały wszystko, bardziej rozdzielone nie przenoszą się lepiej. Liczy się to, **co oczy widziały**. Przy tym samym $\beta$, ale na samych obrazach z domeny źródłowej, nigdy nie musiały odczytywać położenia przedmiotu przy innych połączeniach jego koloru z kolorem podłogi i z przewagi nad pikselami zostaje mniej więcej jedna trzecia. Z oczami bez treningu agent nie uczy się dobrze nawet domeny źródłowej. Spójrz też, jak rozrzucone wzdłuż osi są znaki jednego koloru: same ziarna losowości przesuwają lukę tak samo jak $\beta$. (To nie obala artykułu, w którego trudniejszych zadaniach reprezentacje pomieszane wypadały gorzej niż rozdzielone. Ale i Locatello i in. 2019, [arXiv 1811.12359](https://arxiv.org/abs/1811.12359), którzy wytrenowali tysiące takich sieci, nie znaleźli oznak, by samo rozdzielenie ułatwiało późniejsze uczenie. Dowodzą też, że bez założeń o modelu i danych (ang. *inductive biases*) nic nie gwarantuje, że rozdzielona reprezentacja w ogóle powstanie.)
#
# Fioletowe romby to **strata percepcyjna** DARLA: porównaj $x$ i $x'$ nie piksel po pikselu, tylko przez cechy $J$ *autoenkodera odszumiającego* (ang. *denoising autoencoder*), który nauczył się uzupełniać zasłonięte fragmenty, $\lVert J(x) - J(x') \rVert^2$. Ma pomagać tam, gdzie wiele zależy od drobnego szczegółu obrazu. Nasze obrazy mają mało pikseli, a przedmiot jest duży: tutaj wypadła raczej gorzej, ale też nikt nie dobierał jej ustawień.
#
# ## Kiedy zawodzi
#
# Zobacz to na żywo: oczy trenowane tu i teraz, przez kilkanaście sekund, na samych obrazach z domeny źródłowej. (To także krótki trening; pomarańczowe trójkąty powyżej miały pełny.)

# %%
only_source = torch.from_numpy(render(sample_factors(10_000, "source", np.random.default_rng(SEED))))
narrow = see(only_source, beta=4, steps=1_500, seed=SEED)
narrow_agent = act(narrow, world, updates=2_000, seed=SEED)
failing = returns(narrow_agent.act, through(narrow))
targets = torch.from_numpy(render(np.array([[0.3, 0.6, 0.1, 0.9], [0.7, 0.2, 0.9, 0.1]])))
pairs = torch.cat([torch.stack([image / 255, *(one.imagine(one(image[None]))[0] for one in (vision, narrow))]) for image in targets])
titles = [t("picture", "obraz"), t("eyes that saw all", "oczy, które widziały wszystko"), t("eyes of the source", "oczy z domeny źródłowej")]
show(image_grid(pairs, titles * 2, rows=2, size=2.2),
     alt=t("Two target pictures, and what both visions make of them: the one that saw all shows them right, the other one shows other colours or places.",
           "Dwa obrazy z domeny docelowej i to, co widzą w nich obie pary oczu: ta, która widziała wszystko, odtwarza je dobrze, druga pokazuje inne kolory albo położenia."))
table([(says["DQN, DARLA"], f"{live['DQN, DARLA']['source']:.1f}", f"{live['DQN, DARLA']['target']:.1f}"), (titles[2], f"{failing['source']:.1f}", f"{failing['target']:.1f}")],
      [t("return, of 30", "zwrot, z 30"), *list(names.values())[:2]])

# %% [markdown] lang="en"
# The right column shows what these eyes make of the target: they turn it into something that they know, colours of the source, and the object wherever that fits. The agent acts on the very numbers from which this wrong picture is made. **Frozen eyes pass on whatever they misread.** Before you rely on them, look at reconstructions of the new world; they need no reward and no label.
#
# ## In robotics
#
# A camera on a robot meets other light, other parts, another table. DARLA's recipe is to collect plenty of *unlabelled* pictures of all the conditions that may come, which is cheap, and rewards in only one of them, as those are expensive. Higgins et al. went from one simulated Jaco arm to another, and from a simulated to a real one.
#
# The same division is behind newer robots: eyes pretrained on very many pictures or videos and then frozen, small policies on top (Nair et al. 2022, *R3M*, [arXiv 2203.12601](https://arxiv.org/abs/2203.12601)). These eyes are not trained to be disentangled; they have seen much. That agrees with our figure, but does not prove it. The other way, of lesson 07, randomises colours *while acting*; it needs a simulator of them.
# %% [markdown] lang="pl"
# Prawa kolumna pokazuje, co te oczy robią z domeny docelowej: zmieniają ją w coś, co znają, w kolory domeny źródłowej, z przedmiotem tam, gdzie to akurat pasuje. Agent działa na podstawie tych samych liczb, z których powstaje ten fałszywy obraz. **Zamrożone oczy przekazują dalej wszystko, co źle odczytały.** Zanim na nich polegasz, obejrzyj odtworzone obrazy nowego świata; nie trzeba do tego ani nagród, ani etykiet.
#
# ## W robotyce
#
# Kamera robota trafia na inne światło, inne części, inny stół. Przepis DARLA: zbierz mnóstwo obrazów *bez etykiet* we wszystkich warunkach, jakie mogą nadejść, bo to tanie, a nagrody tylko w niektórych z nich, bo są drogie. Higgins i in. przenosili agenta z jednego symulowanego ramienia Jaco na inne oraz z symulowanego na prawdziwe.
#
# Ten sam podział stoi za nowszymi robotami: oczy wstępnie wytrenowane na ogromnej liczbie obrazów lub filmów, potem zamrożone, a na nich małe polityki (Nair i in. 2022, *R3M*, [arXiv 2203.12601](https://arxiv.org/abs/2203.12601)). Tych oczu nikt nie uczył rozdzielania; za to dużo widziały. Zgadza się to z naszym rysunkiem, ale niczego nie dowodzi. Inna droga, z lekcji 07, losuje kolory *podczas działania*; potrzebuje do tego symulatora.
#
# %% [markdown] lang="en"
# ## Exercises
#
# **1.** Write a function that computes the divergence of the posterior from the prior for each picture of a batch. It gets $\mu$ and $\log \sigma^2$, both (B, Z), and returns a tensor (B,).
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1.** Napisz funkcję, która dla każdego obrazu z paczki (ang. *batch*) oblicza dywergencję rozkładu a posteriori od rozkładu a priori. Dostaje $\mu$ i $\log \sigma^2$, oba o kształcie (B, Z); zwraca tensor o kształcie (B,).

# %% tags=["exercise"]
def kl(mean, log_variance):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The formula stands above; the sum runs over the latent variables, `.sum(1)`, and $\sigma^2$ is `log_variance.exp()`.
# %% [markdown] lang="pl" tags=["hint"]
# Wzór jest powyżej; suma przebiega zmienne ukryte, `.sum(1)`, a $\sigma^2$ to `log_variance.exp()`.

# %% tags=["check"]
check("kl", kl)


# %% tags=["solution"]
def kl(mean, log_variance):
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


# %% [markdown] lang="en"
# **2.** Write the mutual information gap of a matrix of shares (Z, K), a tensor: a row for each latent variable, a column for each factor (the figure above shows it transposed). Return one number.
# %% [markdown] lang="pl"
# **2.** Napisz funkcję, która oblicza lukę informacji wzajemnej. Dostaje tensor udziałów o kształcie (Z, K): wiersz na każdą zmienną ukrytą, kolumna na każdy czynnik (rysunek powyżej pokazuje ją transponowaną). Zwróć jedną liczbę.

# %% tags=["exercise"]
def gap(shares):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `shares.topk(2, dim=0).values` has the two largest numbers of each column.
# %% [markdown] lang="pl" tags=["hint"]
# `shares.topk(2, dim=0).values` zawiera po dwie największe liczby z każdej kolumny.

# %% tags=["check"]
check("gap", gap)


# %% tags=["solution"]
def gap(shares):
    first, second = shares.topk(2, dim=0).values
    return (first - second).mean()


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("Why does the fully connected DQN on pixels fail in the target?", "Dlaczego DQN z warstwami gęstymi zawodzi na pikselach w domenie docelowej?"),
        [
            (t("It has never seen blue objects.", "Nigdy nie widział niebieskich przedmiotów."), False,
             t("It has, on magenta floors.", "Widział, na magencie.")),
            (t("In the source the blue channel said next to nothing about the object's place, so the network did not learn to use it.", "W domenie źródłowej kanał niebieski prawie nic nie mówił o położeniu przedmiotu, więc sieć nie nauczyła się z niego korzystać."), True,
             t("Yes; and in the target this is the channel that shows it clearly.", "Tak; a w domenie docelowej to właśnie ten kanał pokazuje je wyraźnie.")),
            (t("The task is another one.", "Zadanie jest inne."), False,
             t("Rewards, actions and movements are the same.", "Nagrody, akcje i ruchy są te same.")),
        ],
    ),
    Quiz(
        t("In training, the KL term of a latent variable falls to 0. What does it mean?", "W treningu składnik KL pewnej zmiennej ukrytej spada do 0. Co to znaczy?"),
        [
            (t("It encodes a factor perfectly.", "Koduje pewien czynnik bezbłędnie."), False,
             t("Then its mean would move with the picture, and that costs.", "Wtedy jej średnia zmieniałaby się z obrazem, a to kosztuje.")),
            (t("It says nothing about the picture.", "Nie mówi nic o obrazie."), True,
             t("Yes: its posterior is the prior for each picture. At a large beta the VAE gives up what does not pay.", "Tak: jej rozkład a posteriori jest dla każdego obrazu rozkładem a priori. Przy dużej becie VAE rezygnuje z tego, co się nie opłaca.")),
            (t("The learning rate was too large.", "Współczynnik uczenia był za duży."), False,
             t("It is a minimum of the KL term, not an accident.", "To minimum składnika KL, a nie wypadek.")),
        ],
    ),
    Quiz(
        t("A vision splits the rover's place evenly between two latent variables, and neither speaks of anything else. What does this factor contribute to the mutual information gap?",
          "Oczy dzielą położenie łazika po równo między dwie zmienne ukryte, a żadna z nich nie mówi o niczym innym. Jaki jest wkład tego czynnika do luki informacji wzajemnej?"),
        [
            (t("Next to nothing, although nothing is mixed.", "Prawie żaden, choć nic nie jest pomieszane."), True,
             t("Yes. An agent does not mind; so look at the matrix, not at the number alone.", "Tak. Agentowi to nie przeszkadza; dlatego patrz na macierz, a nie na samą liczbę.")),
            (t("1, for no latent variable speaks of two factors.", "1, bo żadna zmienna ukryta nie mówi o dwóch czynnikach."), False,
             t("That is modularity; the gap compares the latent variables of one factor.", "To modularność; luka porównuje zmienne ukryte dla jednego czynnika.")),
            (t("A negative number.", "Ujemny."), False,
             t("The largest share is never below the second largest.", "Największy udział nie bywa mniejszy od drugiego.")),
        ],
    ),
    Quiz(
        t("Next month your robot will meet known parts on known tables, in combinations that are new to it. Its network stays fully connected. Which preparation do our numbers support?",
          "Za miesiąc twój robot trafi na znane części na znanych stołach, ale w połączeniach dla niego nowych. Jego sieć nadal składa się z samych warstw gęstych. Jakie przygotowanie popierają nasze liczby?"),
        [
            (t("A larger beta.", "Większa beta."), False,
             t("It did not raise the transfer, and the gap not always.", "Nie podniosła transferu, a lukę nie zawsze.")),
            (t("Unlabelled pictures of all combinations, and eyes trained on them.", "Nieopisane obrazy wszystkich połączeń i oczy na nich wytrenowane."), True,
             t("Yes: what the eyes had seen made the difference.", "Tak: różnicę robiło to, co oczy widziały.")),
            (t("A longer training of the agent where it is now.", "Dłuższy trening agenta tam, gdzie jest teraz."), False,
             t("There it is nearly perfect already.", "Tam jest już prawie bezbłędny.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - The evidence lower bound trades the reconstruction against the divergence from the prior, both sums; beta raises the price of saying anything.
# - DARLA sees, then acts, then transfers. With eyes that had seen all colours, DQN and episodic control kept most of their return where pixels lost most of theirs.
# - A larger mutual information gap did not mean a better transfer. The gap punishes factors that are split between latent variables, which an agent does not mind.
# - The channels told beforehand where the agent on pixels would fail: it looks where rewards make it look.
# - What the eyes had seen made the difference; eyes of the source alone failed. A convolutional network needed no DARLA here, more varied colours did as well, and even the true factors did not transfer with every seed.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Dolne ograniczenie wiarygodności waży odtworzenie obrazu i dywergencję od rozkładu a priori, oba jako sumy; beta podnosi cenę mówienia czegokolwiek.
# - DARLA najpierw patrzy, potem działa, potem przenosi. Z oczami, które widziały wszystkie kolory, DQN i sterowanie epizodyczne zachowały większość zwrotu tam, gdzie na pikselach większość traciły.
# - Większa luka informacji wzajemnej nie oznaczała lepszego transferu. Luka karze za czynniki podzielone między zmienne ukryte, a agentowi to nie przeszkadza.
# - Kanały z góry powiedziały, gdzie zawiedzie agent na pikselach: patrzy tam, gdzie każą mu patrzeć nagrody.
# - Różnicę robiło to, co oczy widziały; oczy z samej domeny źródłowej zawiodły. Sieć splotowa nie potrzebowała tu DARLA, większa różnorodność kolorów też ją zastąpiła, a nawet prawdziwe czynniki nie przy każdym ziarnie losowości dawały transfer.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
claim(t("DQN from pixels in the source", "DQN z pikseli w domenie źródłowej"), live["DQN, pixels"]["source"], at_least=25)
claim(t("DQN from pixels in the target", "DQN z pikseli w domenie docelowej"), live["DQN, pixels"]["target"], at_most=15)
claim(t("DARLA in the source", "DARLA w domenie źródłowej"), live["DQN, DARLA"]["source"], at_least=25)
claim(t("Lead of DARLA in the target", "Przewaga DARLA w domenie docelowej"), live["DQN, DARLA"]["target"] - live["DQN, pixels"]["target"], at_least=5)
claim(t("Lead of DARLA with episodic control in the target", "Przewaga DARLA ze sterowaniem epizodycznym w domenie docelowej"), live["episodic control, DARLA"]["target"] - live["episodic control, pixels"]["target"], at_least=3)
claim(t("Gap at β = 12 less that at β = 4", "Luka przy β = 12 minus luka przy β = 4"), gaps[12] - gaps[4], at_least=0.02)
claim(t("What DARLA loses in the target with eyes of the source alone", "Ile DARLA traci w domenie docelowej z oczami z samej domeny źródłowej"), live["DQN, DARLA"]["target"] - failing["target"], at_least=3)
claim(t("Recorded: A2C from pixels in the target", "Zapisane: A2C z pikseli w domenie docelowej"), np.mean(agents["A2C, pixels"]["target"]), at_most=15)
claim(t("Recorded: convolutional DQN in the target", "Zapisane: DQN splotowy w domenie docelowej"), np.mean(agents["DQN, pixels, convolutional"]["target"]), at_least=25)
claim(t("Recorded: true factors in the target, the best seed", "Zapisane: prawdziwe czynniki w domenie docelowej, najlepsze ziarno"), max(agents["DQN, true factors"]["target"]), at_least=25)
claim(t("Recorded: true factors in the target, the worst seed", "Zapisane: prawdziwe czynniki w domenie docelowej, najgorsze ziarno"), min(agents["DQN, true factors"]["target"]), at_most=18)
claim(t("Recorded: what one value per colour costs the true factors in the target", "Zapisane: ile w domenie docelowej kosztuje prawdziwe czynniki jedna wartość koloru"), np.mean(agents["DQN, true factors"]["target"]) - np.mean(agents["DQN, true factors, spread 0"]["target"]), at_least=1)
claim(t("Recorded: what β = 12 gains over β = 1 in the target", "Zapisane: ile w domenie docelowej β = 12 zyskuje wobec β = 1"), np.mean(of_vision("beta 12", "target")) - np.mean(of_vision("beta 1", "target")), at_most=2)
claim(t("Recorded: A2C with DARLA's eyes in the target", "Zapisane: A2C z oczami DARLA w domenie docelowej"), np.mean(of_vision("beta 4", "target", "A2C")), at_least=20)
claim(t("Recorded: what β = 4 gains over β = 1 in the target", "Zapisane: ile w domenie docelowej β = 4 zyskuje wobec β = 1"), np.mean(of_vision("beta 4", "target")) - np.mean(of_vision("beta 1", "target")), at_most=2)
claim(t("Recorded: what eyes that saw everything gain over eyes of the source", "Zapisane: ile oczy, które widziały wszystko, zyskują wobec oczu z domeny źródłowej"), np.mean(of_vision("beta 4", "target")) - np.mean(of_vision("beta 4, source only", "target")), at_least=4)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Higgins et al. 2017, *DARLA: Improving Zero-Shot Transfer in Reinforcement Learning*, [arXiv 1707.08475](https://arxiv.org/abs/1707.08475)
# - Kingma and Welling 2014, *Auto-Encoding Variational Bayes*, [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)
# - Burgess et al. 2018, *Understanding disentangling in β-VAE*, [arXiv 1804.03599](https://arxiv.org/abs/1804.03599)
# - Locatello et al. 2019, *Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations*, [arXiv 1811.12359](https://arxiv.org/abs/1811.12359)
# - Watters et al. 2019, *Spatial Broadcast Decoder*, [arXiv 1901.07017](https://arxiv.org/abs/1901.07017), for places that come out disentangled
# - Blundell et al. 2016, *Model-Free Episodic Control*, [arXiv 1606.04460](https://arxiv.org/abs/1606.04460)
#
# [Lesson 07](07_sim_to_real.ipynb) crosses a gap of physics instead of colours. [Lesson 11](11_actor_mimic.ipynb) carries over what experts know. [Lesson 13](13_growing_networks.ipynb) lets networks grow.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Higgins i in. 2017, *DARLA: Improving Zero-Shot Transfer in Reinforcement Learning*, [arXiv 1707.08475](https://arxiv.org/abs/1707.08475)
# - Kingma i Welling 2014, *Auto-Encoding Variational Bayes*, [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)
# - Burgess i in. 2018, *Understanding disentangling in β-VAE*, [arXiv 1804.03599](https://arxiv.org/abs/1804.03599)
# - Locatello i in. 2019, *Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations*, [arXiv 1811.12359](https://arxiv.org/abs/1811.12359)
# - Watters i in. 2019, *Spatial Broadcast Decoder*, [arXiv 1901.07017](https://arxiv.org/abs/1901.07017), o położeniach, które wychodzą rozdzielone
# - Blundell i in. 2016, *Model-Free Episodic Control*, [arXiv 1606.04460](https://arxiv.org/abs/1606.04460)
#
# [Lekcja 07](07_sim_to_real.ipynb) pokonuje lukę fizyki, a nie kolorów. [Lekcja 11](11_actor_mimic.ipynb) przenosi to, co wiedzą eksperci. [Lekcja 13](13_growing_networks.ipynb) pozwala sieciom rosnąć.
