/* Hands out the entry points that the library chose for this processor. They keep nothing between calls, so
 * the manager they come from is not needed afterwards. */
#include <intel-ipsec-mb.h>
#include <stddef.h>

_Static_assert(IMB_VERSION_NUM >= IMB_VERSION(1, 1, 0), "libipsec-mb 1.1 or later is needed");
/* What mod.rs reserves. */
_Static_assert(sizeof(struct gcm_key_data) <= 1024 && _Alignof(struct gcm_key_data) <= 64, "key");
_Static_assert(sizeof(struct gcm_context_data) <= 256 && _Alignof(struct gcm_context_data) <= 64, "context");
_Static_assert(sizeof(struct chacha20_poly1305_context_data) <= 256, "context");

struct hostward_ipsec_mb {
        aes_gcm_pre_t pre[3];
        aes_gcm_enc_dec_t enc[3];
        aes_gcm_enc_dec_t dec[3];
        chacha_poly_init_t chacha_init;
        chacha_poly_enc_dec_update_t chacha_enc;
        chacha_poly_enc_dec_update_t chacha_dec;
        chacha_poly_finalize_t chacha_finish;
};

/* 1 when the table is filled. */
int hostward_ipsec_mb_table(struct hostward_ipsec_mb *table)
{
        IMB_MGR *mgr = alloc_mb_mgr(0);
        IMB_ARCH arch = IMB_ARCH_NONE;

        if (mgr == NULL)
                return 0;
        init_mb_mgr_auto(mgr, &arch);
        if (imb_get_errno(mgr) != 0 || arch == IMB_ARCH_NONE) {
                free_mb_mgr(mgr);
                return 0;
        }
        table->pre[0] = mgr->gcm128_pre;
        table->pre[1] = mgr->gcm192_pre;
        table->pre[2] = mgr->gcm256_pre;
        table->enc[0] = mgr->gcm128_enc;
        table->enc[1] = mgr->gcm192_enc;
        table->enc[2] = mgr->gcm256_enc;
        table->dec[0] = mgr->gcm128_dec;
        table->dec[1] = mgr->gcm192_dec;
        table->dec[2] = mgr->gcm256_dec;
        table->chacha_init = mgr->chacha20_poly1305_init;
        table->chacha_enc = mgr->chacha20_poly1305_enc_update;
        table->chacha_dec = mgr->chacha20_poly1305_dec_update;
        table->chacha_finish = mgr->chacha20_poly1305_finalize;
        free_mb_mgr(mgr);
        return 1;
}
